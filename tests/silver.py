"""Small frames with silver's columns, for tests of features and models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from kolray.events import SOCIAL_SCHEMA, WEB_SCHEMA

START = datetime(2026, 1, 5, tzinfo=UTC)
SILVER_SOCIAL = {
    **SOCIAL_SCHEMA, "available_at": SOCIAL_SCHEMA["event_time"], "sentiment": pl.Int8, "spam": pl.Float32,
}  # fmt: skip
SILVER_WEB = {**WEB_SCHEMA, "available_at": WEB_SCHEMA["event_time"]}


def silver_world(n_kols: int, events_per_kol: int, hours: int = 96, seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Random social and web events of ``n_kols`` (``kol-0000`` …); every third KOL buys followers and comments."""
    rng = np.random.default_rng(seed)
    n = n_kols * events_per_kol
    kol = np.repeat(np.arange(n_kols), events_per_kol)
    bought = kol % 3 == 0
    types = rng.choice(["engagement", "comment", "profile", "post"], n, p=[0.5, 0.3, 0.15, 0.05])
    ms = rng.integers(0, hours * 3_600_000, n)
    likes = rng.poisson(np.where(bought, 5, 40))
    followers = 10_000 + ms // 100_000 + np.where(bought & (ms > hours * 1_800_000), 8_000, 0)
    at = pl.Series(ms).cast(pl.Duration("ms")) + pl.Series([START]).cast(pl.Datetime("ms", "UTC"))
    social = pl.DataFrame(
        {
            "event_id": [f"e{i:07d}" for i in range(n)],
            "kol_id": [f"kol-{k:04d}" for k in kol],
            "platform": "instagram",
            "event_type": types,
            "event_time": at,
            "post_id": "p1",
            "author_id": [f"a{a}" for a in rng.integers(0, np.where(bought, 5, 5000))],
            "impressions": likes * 10,
            "views": likes * 5,
            "clicks": likes // 10,
            "likes": likes,
            "comments": likes // 8,
            "shares": likes // 20,
            "followers": followers,
            "following": 300 + kol % 50,
            "posts": 120,
            "verified": kol % 5 == 0,
            "account_created_at": START - timedelta(days=400),
            "text": np.where(
                bought & (rng.random(n) < 0.8), "nice follow me back", [f"text {i % 97}" for i in range(n)]
            ),
            "lang": np.where(np.arange(n) % 2, "en", "vi"),
            "sentiment": rng.integers(-1, 2, n),
        }
    )
    clicks = social.filter(pl.col("event_type") == "engagement")
    web = clicks.select(
        "event_id", "kol_id", "event_time",
        campaign_id=pl.lit("c1"),
        event_type=pl.Series(rng.choice(["impression", "click", "conversion"], clicks.height, p=[0.8, 0.15, 0.05])),
        value=pl.lit(1.0), currency=pl.lit("VND"), visitor=pl.col("author_id"), consent=pl.lit(value=True),
        url=pl.lit("/"),
    )  # fmt: skip
    late = pl.col("event_time") + timedelta(seconds=30)
    return (
        social.with_columns(available_at=late, spam=pl.lit(None)).select(
            pl.col(c).cast(t) for c, t in SILVER_SOCIAL.items()
        ),
        web.with_columns(available_at=late).select(pl.col(c).cast(t) for c, t in SILVER_WEB.items()),
    )
