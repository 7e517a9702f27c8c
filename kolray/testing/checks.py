"""Behaviour every implementation of a contract must show; each test suite runs them against its own."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
from polars.testing import assert_frame_equal

from kolray.clock import from_ms
from kolray.events import TIME
from kolray.features.window_metrics import METRICS, SUMS
from kolray.stores.metrics import ALERT_SCHEMA, SCORE_SCHEMA, WINDOW_SCHEMA, AlertPlace, MetricsStore, Version

T0 = from_ms(1_760_000_100_000)
FIVE = timedelta(minutes=5)


def window_rows(kol_id: str, n: int, likes: int = 1, *, final: bool = True) -> pl.DataFrame:
    """``n`` consecutive five-minute rows; the first has no followers."""
    base = {name: 0 if name in SUMS else 7 for name in METRICS}
    rows = [
        {"kol_id": kol_id, "window": "5m", "window_start": T0 + i * FIVE, "final": final, **base, "likes": likes + i}
        for i in range(n)
    ]
    rows[0] |= {name: None for name in METRICS if name not in SUMS}
    return pl.DataFrame(rows, schema=WINDOW_SCHEMA)


def check_metrics_store(store: MetricsStore, suffix: str = "") -> None:
    """Upserts, versions, ranges, scans; ``suffix`` keeps KOLs of several runs on one server apart."""
    store.migrate()
    assert store.migrate() == []
    store.ping()
    kol = f"kol{suffix}"
    _check_windows(store, kol)
    _check_alerts(store, kol)
    _check_scores(store, kol)
    _check_forgetting(store, kol)


def _check_windows(store: MetricsStore, kol: str) -> None:
    rows, late = window_rows(kol, 500), Version(1, 2_000_000_000_000_000)
    store.upsert_windows(rows, late)
    store.upsert_windows(rows, late)
    end = T0 + 500 * FIVE
    assert_frame_equal(store.windows(kol, "5m", T0, end), rows)
    assert store.windows(kol, "5m", T0, T0 + FIVE)["likes"].to_list() == [1]
    assert store.windows(kol, "15m", T0, end).is_empty()
    assert store.windows("nobody", "5m", T0, end).is_empty()
    some = ("likes", "window_start")
    assert_frame_equal(store.windows(kol, "5m", T0, end, some), rows.select(some))
    older = Version(1, late.at_us - 1)
    store.upsert_windows(window_rows(kol, 3, likes=900), older)
    assert_frame_equal(store.windows(kol, "5m", T0, end), rows)
    newer = Version(1, late.at_us + 1)
    store.upsert_windows(window_rows(kol, 3, likes=50), newer)
    assert store.windows(kol, "5m", T0, T0 + 3 * FIVE)["likes"].to_list() == [50, 51, 52]
    store.upsert_windows(window_rows(f"{kol}-open", 2, final=False), late)
    scanned = pl.concat(store.scan_windows()).filter(pl.col("kol_id").str.starts_with(kol))
    assert scanned.height == 500
    everything = pl.concat(store.scan_windows(final_only=False)).filter(pl.col("kol_id").str.starts_with(kol))
    assert everything.height == 502
    recent = pl.concat(store.scan_windows(since=T0 + 3 * FIVE)).filter(pl.col("kol_id") == kol)
    assert recent["window_start"].min() == T0 + 3 * FIVE
    assert recent.height == 497
    store.upsert_windows(rows.clear(), late)


def _check_alerts(store: MetricsStore, kol: str) -> None:
    rows = pl.DataFrame(
        [(f"{kol}-a{i}", "spike", kol, "1h", T0, "high", "{}", T0 + i * timedelta(days=1)) for i in range(3)],
        schema=ALERT_SCHEMA,
        orient="row",
    )
    version = Version(1, 1)
    store.upsert_alerts(rows, version)
    store.upsert_alerts(rows, version)
    assert store.alerts(T0, kol)["alert_id"].to_list() == [f"{kol}-a2", f"{kol}-a1", f"{kol}-a0"]
    assert store.alerts(T0 + timedelta(hours=1), kol, limit=1)["alert_id"].to_list() == [f"{kol}-a2"]
    assert set(rows["alert_id"]) <= set(store.alerts(T0, None, 10_000)["alert_id"])
    assert store.alerts(T0 + timedelta(days=9), kol).is_empty()
    together = rows.with_columns(at=pl.lit(T0).cast(TIME), alert_id=pl.col("alert_id") + "b")
    store.upsert_alerts(together, version)
    everyone = pl.concat([rows, together]).sort("at", "alert_id", descending=True)
    place: AlertPlace | None = None
    for alert_id, at in everyone.select("alert_id", "at").iter_rows():
        [next_one] = store.alerts(T0, kol, 1, place)["alert_id"]
        assert next_one == alert_id
        assert alert_id not in store.alerts(T0, None, 10_000, AlertPlace(at, alert_id))["alert_id"]
        place = AlertPlace(at, alert_id)
    assert store.alerts(T0, kol, 1, place).is_empty()


def _check_scores(store: MetricsStore, kol: str) -> None:
    def scores(at: datetime, value: float) -> pl.DataFrame:
        row = (kol, "trust:1", at, value, 0.0, 100.0, 0.1, at + FIVE, 0.25, '{"followers":1.0}')
        return pl.DataFrame([row], schema=SCORE_SCHEMA, orient="row")

    store.upsert_scores(scores(T0, 10.0))
    store.upsert_scores(scores(T0 + FIVE, 20.0))
    store.upsert_scores(scores(T0, 15.0))
    assert store.scores(kol)["trust_score"].to_list() == [20.0]
    assert store.scores(kol, 5)["trust_score"].to_list() == [20.0, 15.0]
    for since, count in ((T0, 2), (T0 + 2 * FIVE, 1), (T0 + 3 * FIVE, 0)):
        assert sum(rows.filter(kol_id=kol).height for rows in store.scan_scores(since)) == count
    assert_frame_equal(store.scores(kol), scores(T0 + FIVE, 20.0))


def _check_forgetting(store: MetricsStore, kol: str) -> None:
    """Of the rows the checks before left; a KOL whose id begins with this one's keeps its own."""
    assert store.traces(kol) > 0
    assert store.forget(kol) == 500 + 6 + 2
    assert store.traces(kol) == 0
    assert store.forget(kol) == 0, "may be repeated"
    assert store.windows(kol, "5m", T0, T0 + 500 * FIVE).is_empty()
    assert store.alerts(T0, kol).is_empty()
    assert not store.alerts(T0, None, 10_000)["kol_id"].eq(kol).any()
    assert store.scores(kol).is_empty()
    assert store.traces(f"{kol}-open") > 0
    assert store.forget(f"{kol}-open") == 2
    assert store.traces(f"{kol}-open") == 0
