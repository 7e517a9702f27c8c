"""How the forecasts of a batch met what came: the night's look at the success champion.

They were made before the hours that judge them, so this is what was served, not what a model says with hindsight.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from kolray.errors import NotFoundError
from kolray.events import TIME
from kolray.lake.tables import LakeTables
from kolray.models.forecasts import HOURS, NAME, lake_origin
from kolray.models.success.report import means
from kolray.models.success.series import METRICS, hourly_history

DAY = timedelta(days=1)
KNOWN = timedelta(hours=12)
"""Of a batch's day that must be known to judge it."""


def served_figures(tables: LakeTables, model: str) -> dict[str, float] | None:
    """``judge_batch`` of a model's newest batch of which ``KNOWN`` is known by now; none where there is no such."""
    try:
        until = lake_origin(tables)
    except NotFoundError:
        return None
    made = tables.scan(NAME).filter(pl.col("model") == model, pl.col("origin") <= until - KNOWN)
    made = made.filter(pl.col("origin") == pl.col("origin").max(), pl.col("at") < until)
    forecasts = made.select("kol_id", "metric", "origin", "at", "value", "lower", "upper").collect()
    if not forecasts.height:
        return None
    since = forecasts["origin"][0] - DAY
    hours = tables.scan(HOURS).filter(pl.col("dt") >= since.date(), pl.col("hour").is_between(since, until))
    return judge_batch(forecasts, hours.collect())


def judge_batch(forecasts: pl.DataFrame, hours: pl.DataFrame) -> dict[str, float]:
    """``rmsle``, ``naive_rmsle`` (of the value a day before) and ``coverage_90``: means over the metrics.

    Args:
        forecasts: rows of ``gold.forecasts`` of one batch, for hours that are known by now.
        hours: rows of ``gold.kpi_hourly`` from a day before the batch on; an hour without a row is 0. KOLs of whom a
            metric told nothing that day are left out of it: to forecast silence is no art.
    """
    found = [
        _judged(own.drop("metric"), hourly_history(hours, str(metric)))
        for (metric,), own in forecasts.group_by("metric")
        if metric in METRICS
    ]
    return means({name: float("nan") if v is None else v for name, v in one.items()} for one in found)


def _judged(forecasts: pl.DataFrame, truth: pl.DataFrame) -> dict[str, float]:
    truth = truth.group_by("kol_id", "at").agg(pl.col("value").sum().clip(0.0))
    actual = truth.select("kol_id", "at", actual="value")
    before = truth.select("kol_id", at=(pl.col("at") + DAY).cast(TIME), naive="value")
    both = forecasts.with_columns(pl.col("at").cast(TIME))
    for known in (actual, before):
        both = both.join(known, ["kol_id", "at"], "left")
    both = both.with_columns(pl.col("actual", "naive").fill_null(0.0))
    both = both.filter(pl.col("naive").sum().over("kol_id") > 0)
    errors = {"rmsle": "value", "naive_rmsle": "naive"}
    found = both.select(
        *((pl.col(of).log1p() - pl.col("actual").log1p()).pow(2).mean().sqrt().alias(n) for n, of in errors.items()),
        coverage_90=pl.col("actual").is_between("lower", "upper").mean(),
    )
    return found.row(0, named=True)
