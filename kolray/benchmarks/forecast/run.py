"""Every KOL in one batch, and one KOL after the other as a request asks."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kolray.benchmarks.forecast.table import write_hours
from kolray.benchmarks.stream.meter import Measured, measure
from kolray.clock import SystemClock
from kolray.lake.tables import LakeTables
from kolray.local.profiles import one_server
from kolray.local.servers import redis
from kolray.models.champions import Champions
from kolray.models.lifecycle import SEED, submit
from kolray.models.registry import ModelRegistry
from kolray.models.success import train_success
from kolray.models.success.model import SuccessModel
from kolray.serving.canary import Canary
from kolray.serving.forecasting import Forecasting
from kolray.serving.surroundings import Surroundings
from kolray.settings import Settings, load_settings
from kolray.stores.metrics import WINDOW_SCHEMA, Version
from kolray.stores.open import open_feature_store, open_metrics_store

LEARNT_FROM = 1_000
"""KOLs that the model is trained on: its cost later does not depend on it."""
ASKED = 300


@dataclass(frozen=True)
class Figures:
    """What a batch of ``kols`` took from the lake to gold and Redis, Ray already up; and one forecast of 24 hours.

    ``peak_pss_mb`` is the memory of the driver, Ray and its tasks, without Redis.
    """

    kols: int
    metrics: int
    hours: int
    """Rows of ``gold.kpi_hourly`` that were read."""
    rows: int
    seconds: float
    cpu_s: float
    peak_pss_mb: int
    one_p50_ms: float
    one_p95_ms: float
    one_cpu_ms: float
    """The median; on a machine that has other work, this is what counts."""


def run(n_kols: int, say: Callable[[str], None]) -> Figures:
    """On a lake, a Redis and a registry of its own, gone afterwards.

    Args:
        say: told what runs now.
    """
    with tempfile.TemporaryDirectory(prefix="kolray-bench-") as folder, one_server(redis, Path(folder)):
        settings = load_settings(home=folder)
        tables, registry = LakeTables(settings.lake_root), ModelRegistry.of(settings)
        say(f"hours of {n_kols:,} KOLs")
        today = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0)
        hours = write_hours(tables, n_kols, today)
        say("a model")
        some = pl.col("kol_id") < f"kol_{LEARNT_FROM:06d}"
        known = tables.scan("gold.kpi_hourly").filter(some).collect()
        trained = train_success(known, SEED)
        submit(registry, "success", trained)
        say(f"forecasts of {n_kols:,} KOLs")
        measured = measure([sys.executable, "-m", __package__ + ".engine"], os.environ | {"KOLRAY_HOME": folder})
        say("one forecast after the other")
        return _figures(measured, trained.model, hours, one_by_one(settings, known))


def one_by_one(settings: Settings, hours: pl.DataFrame) -> pl.DataFrame:
    """``ms, cpu_ms`` of forecasts of a day of one KOL's engagement as serving makes them: hours read from the metrics
    store, covariates from memory, and every forecast computed, as no stream has left its marks in this Redis."""
    kol_ids = hours["kol_id"].unique().sort().head(ASKED).to_list()
    with closing(open_metrics_store(settings)) as store, closing(open_feature_store(settings.redis)) as lookup:
        store.migrate()
        store.upsert_windows(_windows(hours.filter(pl.col("kol_id").is_in(kol_ids))), Version(1, 1))
        champions, about = Champions(ModelRegistry.of(settings)), Surroundings(LakeTables(settings.lake_root))
        champions.refresh()
        about.refresh()
        forecasting = Forecasting(Canary(champions, name="success"), lookup, store, about, SystemClock())
        took = []
        for kol_id in (kol_ids[0], *kol_ids):
            started, cpu = time.perf_counter(), time.process_time()
            forecasting.forecast(kol_id, "engagement", 24)
            took.append(((time.perf_counter() - started) * 1000, (time.process_time() - cpu) * 1000))
    return pl.DataFrame(took[1:], schema=["ms", "cpu_ms"], orient="row")


def _windows(hours: pl.DataFrame) -> pl.DataFrame:
    """The stream's rows of these hours."""
    rows = hours.with_columns(window=pl.lit("1h"), window_start="hour", final=pl.lit(value=True))
    counts = {name: pl.col(name) if name in rows.columns else pl.lit(None) for name in WINDOW_SCHEMA}
    return rows.select(expr.cast(WINDOW_SCHEMA[name]).alias(name) for name, expr in counts.items())


def _figures(measured: Measured, model: SuccessModel, hours: int, took: pl.DataFrame) -> Figures:
    seconds, cpu_s = measured.between("@job_start")
    made = json.loads(measured.last)
    p50, p95 = (round(float(took["ms"].quantile(q) or 0.0), 2) for q in (0.5, 0.95))
    return Figures(
        kols=made["kols"],
        metrics=len(model.metrics),
        hours=hours,
        rows=made["rows"],
        seconds=round(seconds, 1),
        cpu_s=round(cpu_s, 1),
        peak_pss_mb=round(measured.meter.peak_pss_mb),
        one_p50_ms=p50,
        one_p95_ms=p95,
        one_cpu_ms=round(float(took["cpu_ms"].median()), 2),  # type: ignore[arg-type]
    )
