"""Every KOL in one batch, and one KOL after the other as a request asks."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kolray.benchmarks.forecast.table import END, write_hours
from kolray.benchmarks.stream.meter import Measured, measure
from kolray.lake.tables import LakeTables
from kolray.local.profiles import one_server
from kolray.local.servers import redis
from kolray.models.lifecycle import SEED, complete_hours, submit
from kolray.models.registry import ModelRegistry
from kolray.models.success import train_success
from kolray.models.success.model import SuccessModel
from kolray.models.success.series import hourly_history
from kolray.settings import load_settings

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


def run(n_kols: int, say: Callable[[str], None]) -> Figures:
    """On a lake, a Redis and a registry of its own, gone afterwards.

    Args:
        say: told what runs now.
    """
    with tempfile.TemporaryDirectory(prefix="kolray-bench-") as folder, one_server(redis, Path(folder)):
        settings = load_settings(home=folder)
        tables, registry = LakeTables(settings.lake_root), ModelRegistry.of(settings)
        say(f"hours of {n_kols:,} KOLs")
        hours = write_hours(tables, n_kols)
        say("a model")
        known = complete_hours(settings.lake_root).filter(pl.col("kol_id") < f"kol_{LEARNT_FROM:06d}")
        trained = train_success(known, SEED)
        submit(registry, "success", trained)
        say(f"forecasts of {n_kols:,} KOLs")
        measured = measure([sys.executable, "-m", __package__ + ".engine"], os.environ | {"KOLRAY_HOME": folder})
        say("one forecast after the other")
        took = one_by_one(trained.model, known)
        return _figures(measured, trained.model, hours, took)


def one_by_one(model: SuccessModel, hours: pl.DataFrame) -> pl.Series:
    """Milliseconds of ``ASKED`` forecasts of a day of one KOL's engagement, from its rows."""
    histories = hourly_history(hours, "engagement").partition_by("kol_id", maintain_order=True)
    took = []
    for number in range(ASKED + 1):
        started = time.perf_counter()
        model.forecast(histories[number % len(histories)], origin=END)
        took.append((time.perf_counter() - started) * 1000)
    return pl.Series(took[1:])


def _figures(measured: Measured, model: SuccessModel, hours: int, took: pl.Series) -> Figures:
    seconds, cpu_s = measured.between("@job_start")
    made = json.loads(measured.last)
    p50, p95 = (round(float(took.quantile(q) or 0.0), 2) for q in (0.5, 0.95))
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
    )
