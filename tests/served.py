"""What a test serves: a lake to train on, and a day of windows of one KOL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from kolray import local
from kolray.clock import SystemClock, to_ms
from kolray.features import compute_features
from kolray.models.forecast_pipeline import forecast_all
from kolray.models.lifecycle import submit, train
from kolray.models.publish import publish_rankings, publish_scores
from kolray.models.registry import ModelRegistry
from kolray.settings import Settings, load_settings
from kolray.stores.metrics import ALERT_SCHEMA, MetricsStore, Version
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.windows import PANE_SCHEMA, WindowSpec, conform_panes, pane_rows, windows_of
from tests.hourly import kpi_hourly
from tests.silver import START, silver_world

KOL = "kol-0001"
CLOSED = SystemClock().now().replace(minute=0, second=0, microsecond=0)
"""Windows that end by this hour are closed; two panes behind it are still open."""
FIVE = timedelta(minutes=5)
Item, Row = TypeVar("Item"), TypeVar("Row")


def here(work: list[Item], do: Callable[[Item], Iterable[Row]], _blocks: int) -> list[Row]:
    """``lake.spread.spread`` without Ray."""
    return [row for item in work for row in do(item)]


def served_home(home: Path) -> Settings:
    """The embedded profile with a lake, two champions, their scores and forecasts, and a day of windows of one KOL."""
    local.up("embedded", home, owner_pid=os.getpid())
    settings = load_settings(home=home)
    write_lake(Path(settings.lake_root))
    registry = ModelRegistry.of(settings)
    store, lookup = open_metrics_store(settings), open_feature_store(settings.redis)
    store.migrate()
    for kind in ("trust", "success"):
        assert submit(registry, kind, train(kind, settings.lake_root)).promoted
    publish_scores(settings.lake_root, registry, store, lookup)
    publish_rankings(settings.lake_root, lookup)
    forecast_all(settings, here)
    write_windows(store)
    return settings


def write_lake(root: Path) -> None:
    """Features, hourly KPIs, labels and KOLs to train on and to serve."""
    social, web = silver_world(n_kols=240, events_per_kol=60)
    features = compute_features(social.lazy(), web.lazy(), START + timedelta(hours=96))
    features.write_delta(str(root / "gold" / "features"))
    kpi_hourly(n_kols=60).write_delta(str(root / "gold" / "kpi_hourly"))
    number = pl.col("kol_id").str.slice(4).cast(pl.Int64)
    at = pl.lit(START).cast(pl.Datetime("ms", "UTC"))
    labels = features.select("kol_id", label=(number % 3 == 0).cast(pl.Int8), source=pl.lit("t"), at=at, valid_from=at)
    labels.write_delta(str(root / "ref" / "labels"))
    kols = features.select(
        "kol_id", platform=pl.lit("tiktok"), category=pl.lit("food"), tier=pl.lit("micro"), language=pl.lit("vi")
    )
    kols.with_columns(valid_from=at).write_delta(str(root / "ref" / "kols"))


def write_windows(store: MetricsStore) -> None:
    """Two likes of ten impressions in every pane of a day and of the ten minutes after."""
    starts = [to_ms(CLOSED) + i * 300_000 for i in range(-288, 2)]
    panes = pl.DataFrame({"kol_id": KOL, "pane": starts, "events": 1, "likes": 2, "impressions": 10})
    panes = conform_panes(panes).select(*PANE_SCHEMA)
    version = Version(1, 1)
    for name in ("5m", "15m/5m", "1h"):
        store.upsert_windows(windows_of(panes, WindowSpec.parse(name), end_ms=to_ms(CLOSED)), version)
    store.upsert_windows(pane_rows(panes.filter(pl.col("pane") >= to_ms(CLOSED) - 3_600_000)), version)
    alerts = [(f"a{i}", "spike", KOL, "1h", CLOSED, "high", '{"sigma": 5}', CLOSED + i * FIVE) for i in range(3)]
    store.upsert_alerts(pl.DataFrame(alerts, schema=ALERT_SCHEMA, orient="row"), version)


def window_rows(ask: Callable[..., Any], window: str, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """Start, whether final, and likes of the KOL's windows, as the API answers."""
    query = f"window={window}&from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
    rows = ask(f"/kol/{KOL}/metrics?{query}")["windows"]
    return [(datetime.fromisoformat(r["window_start"]), r["final"], r["likes"]) for r in rows]
