"""Hourly KPIs with a daily rhythm, for tests of the success model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from kolray.events import TIME
from kolray.features.window_metrics import FOLLOWERS, SUMS

START = datetime(2026, 1, 5, tzinfo=UTC)


def kpi_hourly(n_kols: int = 120, hours: int = 96, seed: int = 1) -> pl.DataFrame:
    """``gold.kpi_hourly`` of KOLs of different sizes with Poisson noise; silent hours are left out.

    Likes and impressions of all, tracked clicks of the first third; no views, no conversions.
    """
    rng = np.random.default_rng(seed)
    hour = np.arange(hours)
    rhythm = 1.2 + np.sin(2 * np.pi * (hour[None, :] - rng.integers(8, 14, (n_kols, 1))) / 24)
    likes = rng.poisson(np.exp(rng.uniform(0.5, 5, (n_kols, 1))) * rhythm)
    frame = pl.DataFrame(
        {
            "kol_id": np.repeat([f"kol-{k:04d}" for k in range(n_kols)], hours),
            "hour": [START + timedelta(hours=int(h)) for h in hour] * n_kols,
            "likes": likes.ravel(),
            "impressions": rng.poisson(20.0 * likes + 1).ravel(),
            "web_clicks": (rng.poisson(likes / 4) * (np.arange(n_kols)[:, None] < n_kols // 3)).ravel(),
        }
    ).filter(pl.col("likes") > 0)
    rest = [pl.lit(0, pl.Int64).alias(c) for c in SUMS if c not in frame.columns]
    rest += [pl.lit(None, pl.Int64).alias(c) for c in FOLLOWERS]
    return frame.with_columns(pl.col("hour").cast(TIME), *rest, platform=pl.lit("tiktok"), dt=pl.col("hour").dt.date())
