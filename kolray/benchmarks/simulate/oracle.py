"""What must come of a scenario, whatever happens on the way: computed once, as a batch, from the events' fates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from kolray.events import COUNTS, Kind
from kolray.stores.metrics import WINDOW_SCHEMA
from kolray.stream.windows import WindowSpec

Fate = Literal["counted", "duplicates", "late", "rejected"]
Place = tuple[str, int, int]
"""Topic, partition, offset."""
Row = tuple[Any, ...]
"""A window row in the order of ``WINDOW_SCHEMA``, times in ms."""


@dataclass(frozen=True)
class Oracle:
    """``rows``: every final row. ``alerts``: (rule, KOL, start of the window in ms). ``counts``: fate → records."""

    rows: frozenset[Row]
    alerts: frozenset[tuple[str, str, int]]
    dead: frozenset[Place]
    late: frozenset[Place]
    counts: dict[Fate, int]


def final_rows(events: dict[Kind, pl.DataFrame], windows: Sequence[str]) -> frozenset[Row]:
    """Window rows of counted events, by grouping the events themselves: no panes, nothing of the stream's."""
    parts = []
    for spec in map(WindowSpec.parse, windows):
        social = _starts(events["social"], spec).sort("event_time", "followers")
        web = _starts(events["web"], spec)
        seen = pl.col("followers").is_not_null()
        at = pl.col("event_time").dt.epoch("ms").filter(seen)
        both = social.group_by("kol_id", "start").agg(
            pl.len().alias("events"),
            *(pl.col(name).sum() for name in COUNTS),
            followers_first=pl.col("followers").filter(seen).first(),
            followers_first_ms=at.first(),
            followers_last=pl.col("followers").filter(seen).last(),
            followers_last_ms=at.last(),
            followers_min=pl.col("followers").min(),
            followers_max=pl.col("followers").max(),
        )
        types = {"web_impressions": "impression", "web_clicks": "click", "web_conversions": "conversion"}
        clicks = web.group_by("kol_id", "start").agg(
            pl.len().alias("web_events"),
            *((pl.col("event_type") == type_).sum().alias(name) for name, type_ in types.items()),
            unique_visitors=pl.col("visitor").filter(pl.col("visitor") != "").n_unique(),
        )
        rows = both.join(clicks, on=["kol_id", "start"], how="full", coalesce=True)
        parts.append(rows.select(_column(name, spec.name, rows.columns) for name in WINDOW_SCHEMA))
    return frozenset(pl.concat(parts).rows())


def _starts(events: pl.DataFrame, spec: WindowSpec) -> pl.DataFrame:
    """Each event once for every window it lies in."""
    at = pl.col("event_time").dt.epoch("ms")
    newest = at - at % spec.slide_ms
    starts = pl.concat_list(newest - n * spec.slide_ms for n in range(spec.size_ms // spec.slide_ms))
    return events.with_columns(start=starts).explode("start")


def _column(name: str, window: str, present: Sequence[str]) -> pl.Expr:
    fixed = {"window": pl.lit(window), "window_start": pl.col("start"), "final": pl.lit(value=True)}
    if name in fixed:
        return fixed[name].alias(name)
    if name == "kol_id" or name.startswith("followers"):
        return pl.col(name)
    return (pl.col(name).fill_null(0) if name in present else pl.lit(0)).cast(pl.Int64).alias(name)


def runs_of(hot: Sequence[bool], times: int) -> list[int]:
    """Places at which a run of ``times`` hot windows is complete.

    >>> runs_of([True, True, True, False, True, True], 2)
    [1, 5]
    """
    out, run = [], 0
    for place, is_hot in enumerate(hot):
        run = run + 1 if is_hot else 0
        if run == times:
            out.append(place)
    return out
