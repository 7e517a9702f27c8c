"""How well lifts are told, on a world whose true lifts are known, beside the mean of hours during over the mean before.

Nothing of the truth reaches the estimate: it sees what gold would hold, and when campaigns ran.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from kolray.connectors.generator.config import FRAUD_TYPES
from kolray.models.success.campaigns.booked import booked_campaigns
from kolray.models.success.campaigns.counterfactual import LOOKBACK_H
from kolray.models.success.campaigns.lift import METRICS, lifts
from kolray.models.success.campaigns.world import CampaignWorld
from kolray.models.success.series import hourly_history

IN_FLIGHT_H = (3, 6, 12, 24)


def judge_lifts(known: CampaignWorld, step: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Metric → hours in flight (the last: the whole campaign) → figures, and of the whole also by tier and honesty."""
    world = known.world
    now = world.config.end
    told = world.campaigns.join(world.truth.select("kol_id", "tier", "kind"), on="kol_id").with_columns(
        honest=pl.when(pl.col("kind").is_in(FRAUD_TYPES)).then(pl.lit("fraud")).otherwise(pl.lit("honest"))
    )
    found: dict[str, Any] = {}
    for metric in METRICS:
        found[metric] = {}
        for hours in (*IN_FLIGHT_H, None):
            rows = _judged(known, told, now, metric, hours)
            found[metric][f"{hours} h" if hours else "whole"] = _figures(rows)
            step()
        for group in ("tier", "honest"):
            for name, own in sorted(rows.partition_by(group, as_dict=True).items()):
                found[metric][str(name[0])] = _figures(own)
    return found


def _judged(known: CampaignWorld, told: pl.DataFrame, now: datetime, metric: str, hours: int | None) -> pl.DataFrame:
    """Lifts with ``truth`` and ``trivial`` of whole campaigns, or after ``hours`` of those that are as long.

    In flight, half of the campaigns are cut off at a time while the others are over, as in a lake most are.
    """
    campaigns = known.world.campaigns.drop("lift").with_row_index("place")
    until = pl.col("start") + timedelta(hours=hours or 0)
    long = until <= pl.min_horizontal("end", pl.lit(now))
    parts = []
    for half in (0, 1) if hours else (None,):
        cut = long & (pl.col("place") % 2 == half) if half is not None else pl.lit(False)
        made = campaigns.with_columns(end=pl.when(cut).then(until).otherwise("end"), asked=cut | (hours is None))
        booked = booked_campaigns(made, known.kpi["kol_id"].unique(), now)
        found = lifts(known.kpi, booked, now, metric).join(_trivial(known.kpi, booked, metric), on="campaign_id")
        parts.append(found.join(booked.filter("asked").select("campaign_id"), on="campaign_id"))
    found = pl.concat(parts).filter(pl.col("lift").is_not_null())
    found = found.join(told.select("campaign_id", "tier", "honest", truth="lift"), on="campaign_id")
    return found.with_columns(covered=pl.col("truth").is_between("lower", "upper"))


def _trivial(kpi: pl.DataFrame, booked: pl.DataFrame, metric: str) -> pl.DataFrame:
    """``campaign_id, trivial``: mean of the hours during over the mean of the week before, less 1."""
    rows = booked.select("campaign_id", "kol_id", "first", "after").join(hourly_history(kpi, metric), on="kol_id")
    during = pl.col("at").is_between("first", "after", closed="left")
    before = pl.col("at").is_between(pl.col("first") - timedelta(hours=LOOKBACK_H), "first", closed="left")
    means = [pl.col("value").filter(part).mean() for part in (during, before)]
    return rows.group_by("campaign_id").agg(trivial=means[0] / means[1] - 1)


def _figures(rows: pl.DataFrame) -> dict[str, float]:
    """``rmse`` of the lift (0.1: ten hundredths), ``alone_rmse`` of the measure without other campaigns,
    ``trivial_rmse``, ``coverage_90``, ``width_90`` (median), ``bias``, ``truth_sd``.
    """
    miss = {name: pl.col(column) - pl.col("truth") for name, column in _COLUMNS.items()}
    exprs = {name: (gap**2).mean().sqrt() for name, gap in miss.items()}
    told = rows.select(
        n=pl.len(),
        **exprs,
        coverage_90=pl.col("covered").mean(),
        width_90=(pl.col("upper") - pl.col("lower")).median(),
        bias=miss["rmse"].mean(),
        truth_sd=pl.col("truth").std(ddof=0),
    )
    return {name: round(float(value), 4) for name, value in told.row(0, named=True).items()}


_COLUMNS = {"rmse": "lift", "alone_rmse": "alone", "trivial_rmse": "trivial"}
