"""Four weeks of ``gold.kpi_hourly``: KOLs of all sizes, a daily rhythm, counts that scatter, silent hours left out."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from kolray.events import TIME
from kolray.features.window_metrics import SUMS
from kolray.lake.commit import commit_parts
from kolray.lake.overlap import Advance
from kolray.lake.parts import PartFile, PartWriter
from kolray.lake.reference import upsert_reference
from kolray.lake.tables import TABLES, LakeTables

DAYS = 28
SEED = 7
MEDIAN, SCATTER = 0.7, 1.6
"""Interactions an hour of a KOL are lognormal around the median: small ones are silent in most hours."""


def write_hours(tables: LakeTables, n_kols: int, end: datetime) -> int:
    """Fills ``gold.kpi_hourly``, ``gold.kpi_daily`` and ``ref.kols`` up to a midnight; returns rows of the first."""
    rng = np.random.default_rng(SEED)
    size = np.exp(rng.normal(np.log(MEDIAN), SCATTER, n_kols))
    peak = rng.integers(0, 24, n_kols)
    ids = pl.Series([f"kol_{number:06d}" for number in range(n_kols)])
    hourly, daily = (PartWriter(name, tables.path(name)) for name in ("gold.kpi_hourly", "gold.kpi_daily"))
    for day in range(DAYS):
        rows = _day(end - timedelta(days=DAYS - day), ids, size, peak, rng)
        hourly.write(rows)
        active = rows.select("kol_id", "platform", "dt").unique(maintain_order=True)
        daily.write(active.select(_column(name, active) for name in TABLES["gold.kpi_daily"]))
    parts = {"gold.kpi_hourly": hourly.close(), "gold.kpi_daily": daily.close()}
    for name, files in parts.items():
        commit_parts(name, tables.path(name), pl.Schema(TABLES[name]), files, {"bench": Advance(None, 0)})
    kols = pl.DataFrame({"kol_id": ids, "platform": "tiktok", "category": "food", "tier": "micro", "language": "vi"})
    upsert_reference(tables.root, "kols", kols)
    return _rows(parts["gold.kpi_hourly"])


def _rows(parts: list[PartFile]) -> int:
    return sum(part.rows for part in parts)


def _day(start: datetime, ids: pl.Series, size: np.ndarray, peak: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    hour = np.arange(24)
    rhythm = 1 + 0.8 * np.cos(2 * np.pi * (hour[None, :] - peak[:, None]) / 24)
    likes = rng.poisson(size[:, None] * rhythm)
    kol, at = np.nonzero(likes)
    told = likes[kol, at]
    counts = {
        "likes": told,
        "comments": told // 8,
        "shares": told // 20,
        "impressions": told * 40,
        "views": told * 25,
        "clicks": told // 2,
        "web_clicks": told // 3 * (kol % 10 == 0),
        "web_conversions": told // 30 * (kol % 10 == 0),
        "events": told,
    }
    times = pl.Series([start + timedelta(hours=int(h)) for h in hour]).cast(TIME)
    rows = pl.DataFrame({"kol_id": ids.gather(kol), "hour": times.gather(at), **counts})
    rows = rows.with_columns(platform=pl.lit("tiktok"), dt=pl.lit(start.date()))
    return rows.select(_column(name, rows) for name in TABLES["gold.kpi_hourly"])


def _column(name: str, rows: pl.DataFrame) -> pl.Expr:
    """The column, or what gold has where nothing was counted."""
    if name in rows.columns:
        return pl.col(name)
    return pl.lit(0 if name in SUMS or name == "posts" else None).alias(name)
