"""Rules on closed windows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import polars as pl

from kolray.clock import from_ms
from kolray.features.window_metrics import METRICS, SUMS
from kolray.stores.metrics import WINDOW_SCHEMA
from kolray.stream.patterns import Patterns
from tests.unit.stream.batches import T0


def row(hour: int, kol: str = "a", **values: Any) -> dict[str, Any]:
    base: dict[str, Any] = {name: 0 if name in SUMS else None for name in METRICS}
    start = from_ms(T0) + timedelta(hours=hour)
    return {"kol_id": kol, "window": "1h", "window_start": start, "final": True, **base, **values}


def rows(items: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(items, schema=WINDOW_SCHEMA)


def growing(hour: int, kol: str = "a") -> dict[str, Any]:
    return row(hour, kol, followers_last=1000 + 10 * hour + hour % 3)


def test_a_follower_spike_stands_out_of_the_kols_own_history() -> None:
    history = [growing(hour, kol) for hour in range(20) for kol in ("a", "b")]
    spike = [row(20, "a", followers_last=3000), growing(20, "b")]
    alerts = Patterns().on_closed(rows(history + spike))
    assert alerts.select("rule", "kol_id").rows() == [("follower_spike", "a")]
    evidence = json.loads(alerts["evidence"][0])
    assert evidence["value"] > 1000
    assert evidence["sigmas"] > 4
    assert alerts["at"][0] == alerts["window_start"][0] + timedelta(hours=1)


def test_a_short_history_raises_nothing() -> None:
    assert Patterns().on_closed(rows([growing(0), row(1, followers_last=90_000)])).is_empty()


def test_three_falling_hours_of_sentiment_raise_one_alert() -> None:
    shares = [9, 9, 7, 5, 2, 1]
    falling = [row(hour, positive=share, negative=10 - share) for hour, share in enumerate(shares)]
    alerts = Patterns().on_closed(rows(falling))
    assert alerts["rule"].to_list() == ["sentiment_falling"]
    assert json.loads(alerts["evidence"][0])["fell_from"] == 0.9


def test_rows_in_any_batches_raise_the_same_alerts() -> None:
    history = [growing(hour) for hour in range(20)] + [row(20, followers_last=3000)]
    whole, piecewise = Patterns().on_closed(rows(history)), []
    patterns = Patterns()
    for item in history:
        piecewise.append(patterns.on_closed(rows([item])))
    assert pl.concat(piecewise)["alert_id"].to_list() == whole["alert_id"].to_list()


def test_state_survives_a_snapshot() -> None:
    history = [growing(hour) for hour in range(20)]
    first, second = Patterns(), Patterns()
    first.on_closed(rows(history))
    second.restore(first.snapshot())
    assert second.on_closed(rows([row(20, followers_last=3000)]))["rule"].to_list() == ["follower_spike"]
