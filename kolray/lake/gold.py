"""Gold: KPIs per KOL and platform by hour and day, by the same sums as the stream's windows."""

from __future__ import annotations

from datetime import date

import polars as pl

from kolray.features.window_metrics import SUMS
from kolray.lake.tables import TABLES
from kolray.stream.windows import conform_panes, merge_panes, pane_aggregate

HOUR_MS = 3_600_000


def hourly(social: pl.DataFrame, web: pl.DataFrame) -> pl.DataFrame:
    """``gold.kpi_hourly`` of some days from silver rows of those days.

    Web events name no platform: they count for the platform of the KOL's social events, or null without any.
    """
    platforms = social.group_by("kol_id").agg(pl.col("platform").drop_nulls().mode().sort().first())
    parts = [pane_aggregate("social", social, HOUR_MS), pane_aggregate("web", web, HOUR_MS)]
    panes = merge_panes([conform_panes(part) for part in parts]).join(platforms, on="kol_id", how="left")
    hour = pl.col("pane").cast(pl.Datetime("ms", "UTC")).alias("hour")
    rows = panes.with_columns(hour, dt=hour.dt.date()).sort("dt", "kol_id", "hour")
    return rows.select(*TABLES["gold.kpi_hourly"])


def daily(hours: pl.DataFrame) -> pl.DataFrame:
    """``gold.kpi_daily`` from ``gold.kpi_hourly`` rows of whole days."""
    sums = hours.group_by("kol_id", "platform", "dt").agg(pl.col(SUMS).sum()).sort("dt", "kol_id")
    return sums.select(*TABLES["gold.kpi_daily"])


def in_days(days: list[date]) -> str:
    """A Delta predicate for these partitions."""
    return "dt IN (" + ", ".join(f"'{day.isoformat()}'" for day in sorted(days)) + ")"
