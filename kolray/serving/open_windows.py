"""Windows still open, as sums of the panes the stream wrote so far."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from kolray.events import TIME
from kolray.features.window_metrics import FOLLOWER_BITS, VISITORS
from kolray.stores.metrics import WINDOW_SCHEMA, MetricsStore
from kolray.stream.windows import PANE_SCHEMA, WindowSpec, windows_of


def with_open_windows(store: MetricsStore, kol_id: str, window: str, start: datetime, end: datetime) -> pl.DataFrame:
    """``WINDOW_SCHEMA`` rows with ``start <= window_start < end``, oldest first: closed ones as the stream stored
    them (``final``), then those it has not closed yet as sums of their panes.

    Unique visitors do not sum: an open window has at least as many as its busiest pane, and that is what it shows.
    """
    spec = WindowSpec.parse(window)
    closed = store.windows(kol_id, window, start, end)
    first = start if not closed.height else closed["window_start"][-1] + timedelta(milliseconds=spec.slide_ms)
    if first >= end:
        return closed
    panes = store.windows(kol_id, "pane", first, end + timedelta(milliseconds=spec.size_ms))
    if not panes.height:
        return closed
    rows = _at_least(windows_of(_packed(panes), spec), panes, spec).with_columns(final=pl.lit(False))
    asked = (pl.col("window_start") >= first) & (pl.col("window_start") < end)
    return pl.concat([closed, rows.filter(asked).select(*WINDOW_SCHEMA).sort("window_start")])


def _at_least(rows: pl.DataFrame, panes: pl.DataFrame, spec: WindowSpec) -> pl.DataFrame:
    """Windows with the unique visitors of their busiest pane."""
    start = pl.col("window_start").dt.epoch("ms")
    last = start - start % spec.slide_ms
    starts = pl.concat_list(last - k * spec.slide_ms for k in range(spec.size_ms // spec.slide_ms))
    placed = panes.select(VISITORS, window_start=starts.cast(pl.List(TIME))).explode("window_start")
    return rows.drop(VISITORS).join(placed.group_by("window_start").agg(pl.col(VISITORS).max()), on="window_start")


def _packed(rows: pl.DataFrame) -> pl.DataFrame:
    """Stored pane rows as ``PANE_SCHEMA``: first and last followers packed with their time again."""
    pane = pl.col("window_start").dt.epoch("ms")

    def pack(name: str) -> pl.Expr:
        return (pl.col(f"followers_{name}_ms") - pane) * (1 << FOLLOWER_BITS) + pl.col(f"followers_{name}")

    packed = rows.with_columns(pane=pane, first_packed=pack("first"), last_packed=pack("last"))
    return packed.select(pl.col(name).cast(dtype) for name, dtype in PANE_SCHEMA.items())
