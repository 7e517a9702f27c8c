"""What a lake must hold, grouped from the raw events alone, and how it differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kolray.events import COUNTS, Kind
from kolray.lake.tables import PLACE, LakeTables


@dataclass(frozen=True)
class Found:
    """All of it must be 0.

    ``lost`` and ``doubled``: events, dead letters, and keys of gold's tables. ``wrong``: keys of gold with other sums.
    ``orphans_left``: data files that no table holds.
    """

    lost: int
    doubled: int
    wrong: int
    orphans_left: int

    def __add__(self, other: Found) -> Found:
        return Found(
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.wrong + other.wrong,
            self.orphans_left + other.orphans_left,
        )


def compare(tables: LakeTables, sent: Mapping[Kind, pl.DataFrame], dead_letters: int) -> Found:
    """The whole lake against what was sent.

    Args:
        sent: the events of each kind, copies included, in the order of sending.
        dead_letters: sent with offsets that count from 0.
    """
    letters = pl.DataFrame({"offset": pl.int_range(dead_letters, dtype=pl.Int64, eager=True)})
    found = _keys(letters, tables.scan("bronze.dead_letters").select("offset").collect())
    for kind, events in sent.items():
        bronze = tables.scan(f"bronze.{kind}").select("event_id", *PLACE).collect()
        twice = bronze.height - bronze.select(PLACE).n_unique()
        found += _keys(events.select("event_id"), bronze.select("event_id")) + Found(0, twice, 0, 0)
        once = events.select("event_id").unique()
        found += _keys(once, tables.scan(f"silver.{kind}").select("event_id").collect())
    for name, (expected, key) in _gold(sent["social"], sent["web"]).items():
        held = tables.scan(name).select(expected.columns).collect()
        found += _sums(expected, held if "events" not in held.columns else held.filter(pl.col("events") > 0), key)
    features = tables.scan("gold.features").select("kol_id", "as_of").collect()
    return found + Found(0, features.height - features.n_unique(), 0, orphans(tables))


def orphans(tables: LakeTables) -> int:
    """Data files that no table holds."""
    return sum(
        len({str(file) for file in Path(tables.path(name)).rglob("*.parquet") if "_delta_log" not in file.parts})
        - len(tables.files(name))
        for name in tables.names()
    )


def _keys(expected: pl.DataFrame, held: pl.DataFrame) -> Found:
    """Keys as often as they must be there."""
    key = expected.columns
    both = (
        expected.group_by(key)
        .agg(pl.len().cast(pl.Int64).alias("wanted"))
        .join(held.group_by(key).agg(pl.len().cast(pl.Int64).alias("held")), on=key, how="full", coalesce=True)
        .fill_null(0)
    )
    more = both["held"] - both["wanted"]
    return Found(-int(more.clip(upper_bound=0).sum()), int(more.clip(lower_bound=0).sum()), 0, 0)


def _sums(expected: pl.DataFrame, held: pl.DataFrame, key: Sequence[str]) -> Found:
    """Keys once, and with these sums."""
    values = [name for name in expected.columns if name not in key]
    both = expected.join(held.unique(key), on=key, how="inner", suffix="_held")
    wrong = both.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_held")) for name in values))
    return _keys(expected.select(key), held.select(key)) + Found(0, 0, wrong.height, 0)


def _gold(social: pl.DataFrame, web: pl.DataFrame) -> dict[str, tuple[pl.DataFrame, list[str]]]:
    """Table → (its sums by one grouping of the events, its key)."""
    at = pl.col("event_time").dt.cast_time_unit("us")
    once = social.unique("event_id").with_columns(hour=at.dt.truncate("1h"), dt=at.dt.date())
    monday = once.with_columns(dt=pl.col("dt").dt.truncate("1w"))
    sums = [pl.len().cast(pl.Int64).alias("events"), *(pl.col(name).sum() for name in COUNTS)]
    kol = ["kol_id", "platform"]
    seen = [
        (pl.col("event_type") == kind).sum().cast(pl.Int64).alias(f"web_{kind}s")
        for kind in ("impression", "click", "conversion")
    ]
    campaign = ["campaign_id", "kol_id"]
    tracked = web.unique("event_id").with_columns(hour=at.dt.truncate("1h"), dt=at.dt.date())
    hits = [pl.len().cast(pl.Int64).alias("web_events"), *seen]
    return {
        "gold.kpi_hourly": (once.group_by(*kol, "hour").agg(sums), [*kol, "hour"]),
        "gold.kpi_daily": (once.group_by(*kol, "dt").agg(sums), [*kol, "dt"]),
        "gold.kpi_weekly": (monday.group_by(*kol, "dt").agg(sums), [*kol, "dt"]),
        "gold.platform_daily": (once.group_by("platform", "dt").agg(sums), ["platform", "dt"]),
        "gold.campaign_hourly": (tracked.group_by(*campaign, "hour").agg(hits), [*campaign, "hour"]),
        "gold.campaign_daily": (tracked.group_by(*campaign, "dt").agg(hits), [*campaign, "dt"]),
    }
