"""KOLs by the hour, campaigns and what tracked pages saw, all seeded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from kolray.events import conform
from kolray.lake.reference import upsert_reference
from kolray.lake.tables import TABLES, LakeTables
from tests.unit.lake.rows import add

START = datetime(2026, 1, 5, tzinfo=UTC)
HOURS, KOLS = 96, 120
NOW = START + timedelta(hours=HOURS)
RNG = np.random.default_rng(3)
NOISE = RNG.normal(0, 0.1, (KOLS, HOURS))
LEVEL = RNG.uniform(4, 9, (KOLS, 1))
COURSE = 0.8 * np.cos((np.arange(HOURS) - RNG.integers(0, 24, (KOLS, 1))) / 24 * 2 * np.pi)


def at(hours):
    return START + timedelta(hours=hours)


def booking(*rows):
    """Campaigns from (campaign, KOL, start, end) in hours, whole or not, or None."""
    full = [
        {
            "campaign_id": name,
            "kol_id": kol,
            "start": None if start is None else at(start),
            "end": None if end is None else at(end),
            "budget": 100.0,
            "currency": "VND",
            "category": "food",
            "phases": None,
        }
        for name, kol, start, end in rows
    ]
    times = dict.fromkeys(("start", "end"), pl.Datetime("ms", "UTC"))
    return pl.DataFrame(full, schema_overrides=times | {"phases": pl.String})


def hourly(lifted=(), everybody=0.0, first=None):
    """``gold.kpi_hourly`` of KOLs ``k0 …``; ``lifted``: (KOL, from, to, log of the ratio); ``everybody``: log ratio of
    all KOLs' hours from 60 on; ``first``: KOL → the hour it is known from.
    """
    z = LEVEL + COURSE + NOISE
    z[:, 60:] += everybody
    for kol, start, end, effect in lifted:
        z[kol, start:end] += effect
    rows = pl.DataFrame(
        {
            "kol_id": np.repeat([f"k{kol}" for kol in range(KOLS)], HOURS),
            "hour": [at(h) for h in range(HOURS)] * KOLS,
            "impressions": np.exp(z).round().astype(np.int64).ravel(),
        }
    ).with_columns(likes=pl.col("impressions") // 10, comments=0, shares=0)
    for kol, hour in (first or {}).items():
        rows = rows.filter((pl.col("kol_id") != f"k{kol}") | (pl.col("hour") >= at(hour)))
    return rows


def hits(campaigns, per_hour=4.0, until=NOW, currency="VND", seed=1):
    """``gold.campaign_hourly``: Poisson counts in a campaign's hours; of ten three click, of five clicks one buys."""
    rng, rows = np.random.default_rng(seed), []
    for row in campaigns.drop_nulls(["start"]).iter_rows(named=True):
        end = min(row["end"] or until, until)
        for h in range(max(int((end - row["start"]).total_seconds()) // 3600, 0)):
            seen = rng.poisson(per_hour)
            clicks = rng.binomial(seen, 0.3)
            sold = rng.binomial(clicks, 0.2)
            rows.append(
                {"campaign_id": row["campaign_id"], "kol_id": row["kol_id"], "hour": row["start"] + timedelta(hours=h)}
                | {"web_impressions": seen, "web_clicks": clicks, "web_conversions": sold, "value": 50.0 * sold}
                | {"currency": currency if sold else None}
            )
    schema = {name: dtype for name, dtype in TABLES["gold.campaign_hourly"].items() if not rows or name in rows[0]}
    return pl.DataFrame(rows, schema=schema)


CAMPAIGNS = booking(("a", "k100", 56, 116), ("late", "k101", 200, 300), *((f"p{k}", f"k{k}", 20, 50) for k in range(6)))
"""One that runs, one that is planned for too far ahead, six that are over."""


def put_rows(tables: LakeTables, name: str, rows: pl.DataFrame) -> None:
    """Adds rows to a table, null where they say nothing."""
    if "hour" in rows.columns:
        rows = rows.with_columns(dt=pl.col("hour").dt.date())
    add(tables, name, rows.select(conform(TABLES[name], rows.columns)))


def campaign_lake(folder: Path) -> LakeTables:
    """A lake of ``hourly`` and ``CAMPAIGNS``, beside one that ended long ago."""
    old = CAMPAIGNS.filter(campaign_id="p0").with_columns(
        campaign_id=pl.lit("old"), start=START - timedelta(days=50), end=START - timedelta(days=40)
    )
    tables, hours = LakeTables(str(folder)), hourly()
    put_rows(tables, "gold.kpi_hourly", hours)
    put_rows(tables, "gold.kpi_daily", hours.select("kol_id", dt=pl.col("hour").dt.date()).unique())
    put_rows(tables, "gold.campaign_hourly", hits(CAMPAIGNS))
    upsert_reference(tables.root, "campaigns", pl.concat([CAMPAIGNS, old], how="vertical_relaxed"))
    return tables
