"""What the stream writes beside the metrics store, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from kolray.events import TIME
from kolray.features.window_metrics import METRICS
from kolray.stores.metrics import WINDOW_SCHEMA, Version
from kolray.stream.sinks import StoreWriter
from kolray.testing.stores import MemoryStore


class Live:
    """Notes what is asked of it; Redis has lost nothing."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Callable[..., bool]:
        def call(*given: Any) -> bool:
            self.calls.append((name, *given))
            return False

        return call


def test_a_final_window_drops_kept_answers_after_it_was_written_and_an_open_one_does_not() -> None:
    """rows ── metrics store ── Redis ── answers dropped: who asks then finds the new row"""
    store, live = MemoryStore(), Live()
    base = pl.DataFrame({"kol_id": ["open", "closed"], "window": "5m", "window_start": 0, "final": [False, True]})
    counts = [pl.lit(1, pl.Int64).alias(name) for name in METRICS]
    rows = base.with_columns(pl.col("window_start").cast(TIME), *counts).select(*WINDOW_SCHEMA)
    writer = StoreWriter(store, live)  # type: ignore[arg-type]
    writer.windows(rows, Version(1, 1))
    writer.refresh_live()
    writer.flush()
    writer.close()
    names = [name for name, *_ in live.calls]
    assert live.calls[-1] == ("cache_drop", ["closed"])
    assert names.index("put_live") < names.index("cache_drop")
    assert pl.concat(store.scan_windows(final_only=False)).height == 2
