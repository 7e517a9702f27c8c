"""Windows as sums of panes: pure functions the stream, ``verify`` and the benchmarks share.

A pane is the greatest common divisor of all declared sizes and slides. Windows are half-open and aligned to the epoch:
a window starting at ``s`` holds ``s <= event_time < s + size``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from kolray.errors import SettingsError
from kolray.events import COUNTS, TIME, Columns, Kind
from kolray.features.window_metrics import (
    FOLLOWER_BITS,
    FOLLOWERS_RANGE,
    SOCIAL_SUMS,
    SUMS,
    VISITORS,
    WEB_SUMS,
    pack_followers,
    unpack_followers,
)

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000}
MAX_PANE_MS = 1 << 22
"""Longest pane whose offsets fit beside a packed follower number (69 minutes)."""

PANE_SCHEMA: Columns = {
    "kol_id": pl.String,
    "pane": pl.Int64,
    **dict.fromkeys(SUMS, pl.Int64),
    "first_packed": pl.Int64,
    "last_packed": pl.Int64,
    **dict.fromkeys(FOLLOWERS_RANGE, pl.Int64),
}
"""One row a KOL and pane; ``pane`` is its start in ms since the epoch. Followers are null when unseen."""

PANE = "pane"
"""The ``window`` of provisional rows."""
_PACKED = ("first_packed", "last_packed")
_MERGED = (
    pl.col(SUMS).sum(),
    pl.col("first_packed").min(),
    pl.col("last_packed").max(),
    pl.col("followers_min").min(),
    pl.col("followers_max").max(),
)

SUM_COLUMNS: dict[Kind, tuple[str, ...]] = {"social": SOCIAL_SUMS, "web": WEB_SUMS}


@dataclass(frozen=True)
class WindowSpec:
    """A tumbling (``slide_ms == size_ms``) or sliding window."""

    name: str
    size_ms: int
    slide_ms: int

    @classmethod
    def parse(cls, text: str) -> WindowSpec:
        """From ``SIZE`` or ``SIZE/SLIDE``.

        >>> WindowSpec.parse("15m/5m")
        WindowSpec(name='15m/5m', size_ms=900000, slide_ms=300000)
        """
        size, slash, slide = text.partition("/")
        size_ms, slide_ms = _duration_ms(size, text), _duration_ms(slide if slash else size, text)
        if size_ms % slide_ms:
            raise SettingsError(
                f"window {text}: the size is not a multiple of the slide, so panes cannot be shared; choose e.g. 15m/5m"
            )
        return cls(text, size_ms, slide_ms)

    def starts_at(self, pane: int) -> range:
        """Starts (ms) of the windows that contain a pane."""
        last = pane // self.slide_ms * self.slide_ms
        return range(last - self.size_ms + self.slide_ms, last + 1, self.slide_ms)


def _duration_ms(text: str, whole: str) -> int:
    match = re.fullmatch(r"(\d+)([smh])", text)
    if not match or int(match[1]) == 0:
        raise SettingsError(f"window {whole!r}: write SIZE or SIZE/SLIDE such as 5m, 1h or 15m/5m")
    return int(match[1]) * _UNITS_MS[match[2]]


def pane_ms(specs: Iterable[WindowSpec]) -> int:
    """The greatest common divisor of all sizes and slides, in ms.

    Raises:
        SettingsError: longer than ``MAX_PANE_MS``.
    """
    size = math.gcd(*(n for spec in specs for n in (spec.size_ms, spec.slide_ms)))
    if size > MAX_PANE_MS:
        minutes = size / 60_000
        raise SettingsError(f"these windows share a pane of {minutes:.0f} min; declare one of 1h or less beside them")
    return size


def pane_aggregate(kind: Kind, events: pl.DataFrame, pane: int) -> pl.DataFrame:
    """Valid, distinct events of one kind → ``PANE_SCHEMA``, one row a KOL and pane.

    Social events may carry ``sentiment`` (Int8: -1, 0, 1; null where there is no comment).
    """
    start = pl.col("event_time").dt.epoch("ms")
    lazy = events.lazy().with_columns(pane=start - start % pane)
    aggregates = _social(pane, "sentiment" in events.columns) if kind == "social" else web_sums()
    grouped = lazy.group_by("kol_id", "pane").agg(aggregates)
    return conform_panes(grouped.collect())


def _social(pane: int, sentiment: bool) -> list[pl.Expr]:
    packed = pack_followers(pane)
    out = [pl.len().alias("events"), *(pl.col(c).sum() for c in COUNTS)]
    if sentiment:
        out += [(pl.col("sentiment") == 1).sum().alias("positive"), (pl.col("sentiment") == -1).sum().alias("negative")]
    followers = pl.col("followers").min().alias("followers_min"), pl.col("followers").max().alias("followers_max")
    return [*out, packed.min().alias("first_packed"), packed.max().alias("last_packed"), *followers]


def web_sums() -> list[pl.Expr]:
    """The sums of web events, one a column of ``WEB_SUMS``."""
    types = {"impression": "web_impressions", "click": "web_clicks", "conversion": "web_conversions"}
    sums = [(pl.col("event_type") == name).sum().alias(column) for name, column in types.items()]
    return [pl.len().alias("web_events"), *sums]


def conform_panes(panes: pl.DataFrame) -> pl.DataFrame:
    """Any subset of the columns as ``PANE_SCHEMA``: absent sums are 0, absent followers null."""
    return panes.select(
        (pl.col(name) if name in panes.columns else pl.lit(0 if name in SUMS else None)).cast(dtype).alias(name)
        for name, dtype in PANE_SCHEMA.items()
    )


def merge_panes(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The union of partial panes: sums add up, first and last followers by time, in any order of merging."""
    if len(parts) == 1:
        return parts[0]
    merged = pl.concat(parts).lazy().group_by("kol_id", "pane").agg(*_MERGED)
    return merged.select(*PANE_SCHEMA).collect()


def windows_of(
    panes: pl.DataFrame,
    spec: WindowSpec,
    start_ms: int | None = None,
    end_ms: int | None = None,
    width_ms: int | None = None,
) -> pl.DataFrame:
    """Rows of one window kind from merged panes, as ``WINDOW_SCHEMA`` with ``final`` true, without unique visitors.

    Args:
        start_ms: only windows that end after this time; none: all.
        end_ms: only windows that end at or before this time; none: all.
        width_ms: the panes' width; a window as wide is its pane, and nothing is summed.
    """
    starts = [_placed(panes.lazy(), spec, k) for k in range(spec.size_ms // spec.slide_ms)]
    end = pl.col("window_start") + spec.size_ms
    if start_ms is not None:
        starts = [part.filter(end > start_ms) for part in starts]
    if end_ms is not None:
        starts = [part.filter(end <= end_ms) for part in starts]
    placed = pl.concat(starts)
    if spec.size_ms != width_ms:
        placed = placed.group_by("kol_id", "window_start").agg(*_MERGED)
    return _rows(placed, spec.name, final=True)


def _placed(panes: pl.LazyFrame, spec: WindowSpec, k: int) -> pl.LazyFrame:
    """Panes in the ``k``-th newest window that holds them, their packed times counted from its start.

    A window of more than 69 minutes has times that need more bits.
    """
    start = pl.col("pane") - pl.col("pane") % spec.slide_ms - k * spec.slide_ms
    wide = pl.Int64 if spec.size_ms <= MAX_PANE_MS else pl.Int128
    shift = (pl.col("pane") - start).cast(wide) * (1 << FOLLOWER_BITS)
    return panes.with_columns(start.alias("window_start"), *(pl.col(c).cast(wide) + shift for c in _PACKED))


def pane_rows(panes: pl.DataFrame) -> pl.DataFrame:
    """Panes as provisional rows: ``WINDOW_SCHEMA`` with ``window = 'pane'``, not final."""
    return _rows(panes.lazy().with_columns(window_start="pane"), PANE, final=False)


def _rows(merged: pl.LazyFrame, name: str, final: bool) -> pl.DataFrame:
    first, first_ms = unpack_followers(pl.col("first_packed"), pl.col("window_start"))
    last, last_ms = unpack_followers(pl.col("last_packed"), pl.col("window_start"))
    followers = {"followers_first": first, "followers_first_ms": first_ms}
    followers |= {"followers_last": last, "followers_last_ms": last_ms}
    return merged.select(
        "kol_id",
        pl.lit(name).alias("window"),
        pl.col("window_start").cast(TIME),
        pl.lit(final).alias("final"),
        *SUMS,
        *(column.alias(name) for name, column in followers.items()),
        *FOLLOWERS_RANGE,
        pl.lit(None, pl.Int64).alias(VISITORS),
    ).collect()
