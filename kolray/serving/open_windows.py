"""Windows still open, as sums of the panes the stream wrote so far."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from kolray.features.window_metrics import FOLLOWER_BITS
from kolray.stores.metrics import WINDOW_SCHEMA, MetricsStore
from kolray.stream.windows import PANE_SCHEMA, WindowSpec, windows_of


def with_open_windows(store: MetricsStore, kol_id: str, window: str, start: datetime, end: datetime) -> pl.DataFrame:
    """``WINDOW_SCHEMA`` rows with ``start <= window_start < end``, oldest first: closed ones as the stream stored
    them (``final``), then those it has not closed yet as sums of their panes.
    """
    spec = WindowSpec.parse(window)
    closed = store.windows(kol_id, window, start, end)
    first = start if not closed.height else closed["window_start"][-1] + timedelta(milliseconds=spec.slide_ms)
    if first >= end:
        return closed
    panes = store.windows(kol_id, "pane", first, end + timedelta(milliseconds=spec.size_ms))
    if not panes.height:
        return closed
    rows = windows_of(_packed(panes), spec).with_columns(final=pl.lit(False))
    asked = (pl.col("window_start") >= first) & (pl.col("window_start") < end)
    return pl.concat([closed, rows.filter(asked).select(*WINDOW_SCHEMA).sort("window_start")])


def _packed(rows: pl.DataFrame) -> pl.DataFrame:
    """Stored pane rows as ``PANE_SCHEMA``: first and last followers packed with their time again."""
    pane = pl.col("window_start").dt.epoch("ms")

    def pack(name: str) -> pl.Expr:
        return (pl.col(f"followers_{name}_ms") - pane) * (1 << FOLLOWER_BITS) + pl.col(f"followers_{name}")

    packed = rows.with_columns(pane=pane, first_packed=pack("first"), last_packed=pack("last"))
    return packed.select(pl.col(name).cast(dtype) for name, dtype in PANE_SCHEMA.items())
