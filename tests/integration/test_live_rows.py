"""The newest rows in Redis: what the stream writes every second, and an older row never replaces."""

from __future__ import annotations

import polars as pl
import pytest

from kolray.events import TIME
from kolray.features.window_metrics import METRICS
from kolray.settings import Settings
from kolray.stores.metrics import WINDOW_SCHEMA
from kolray.stores.open import open_feature_store
from kolray.stores.redis_client import SCRIPT_ROWS


def _rows(kols: list[str], start_ms: int, events: int, window: str = "5m") -> pl.DataFrame:
    base = pl.DataFrame({"kol_id": kols, "window": window, "window_start": start_ms, "final": True})
    counts = [pl.lit(events if name == "events" else None, pl.Int64).alias(name) for name in METRICS]
    return base.with_columns(pl.col("window_start").cast(TIME), *counts).select(*WINDOW_SCHEMA)


@pytest.mark.embedded
def test_of_each_kol_and_window_the_newest_row_stays(embedded: Settings) -> None:
    live = open_feature_store(embedded.redis)
    kols = [f"kol_{n}" for n in range(2 * SCRIPT_ROWS + 1)]
    live.put_live(_rows(kols, 300_000, events=1))
    live.put_live(pl.concat([_rows(kols[:1], 300_000, events=2), _rows(kols[:1], 900_000, events=3, window="15m")]))
    live.put_live(_rows(kols[:2], 0, events=9))
    held = {row["window"]: row for row in live.get_live(kols[0])}
    assert {window: row["events"] for window, row in held.items()} == {"5m": 2, "15m": 3}
    assert held["5m"]["window_start"].timestamp() == 300
    assert held["5m"]["final"] is True
    assert held["5m"]["likes"] is None
    assert [row["events"] for kol in (kols[1], kols[-1]) for row in live.get_live(kol)] == [1, 1]
    live.close()
