"""How well campaigns in flight are forecast on a generated world, beside their own rate so far.

At each origin all is learnt from what was known then; what came is only judged.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from kolray.models.success.campaigns.counterfactual import DAY
from kolray.models.success.campaigns.hours import COUNTS
from kolray.models.success.campaigns.money import KEY
from kolray.models.success.campaigns.outlook import Known, count_sums, hours_of
from kolray.models.success.campaigns.rates import fit_rate
from kolray.models.success.campaigns.world import CampaignWorld

ORIGINS = 3
ROUNDING = 1e-6
FLIGHT_H = {"new": 0, "up to 6 h": 6, "up to 24 h": 24, "longer": 10_000}
"""Groups by how many hours of a campaign are known, and the most of each."""


def judge_forecasts(known: CampaignWorld, step: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Count of ``COUNTS`` → what (``day``, ``total``) → group of ``FLIGHT_H`` or ``all`` → figures.

    ``total`` is judged of campaigns that end within the world.
    """
    world = known.world
    lake = Known(world.campaigns.drop("lift"), known.hits, known.kpi, world.kols)
    end = world.config.end
    after = {name: count_sums(hours_of(lake, end)[1], name, None, end) for name in COUNTS}
    parts = []
    for back in range(ORIGINS, 0, -1):
        now = end - timedelta(hours=back * DAY)
        parts.append(_at_origin(lake, now, after))
        step()
    rows = pl.concat(parts)
    return {
        str(name): {str(what): _by_flight(own) for (what,), own in mine.partition_by("what", as_dict=True).items()}
        for (name,), mine in rows.partition_by("metric", as_dict=True).items()
    }


def _at_origin(lake: Known, now: datetime, after: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """``metric, what, known_h, value, lower, upper, came, trivial`` of each campaign that is not over."""
    _, hours = hours_of(lake, now)
    _, tomorrow = hours_of(lake, now + timedelta(hours=DAY))
    found = []
    for name in COUNTS:
        made = count_sums(hours, name, fit_rate(hours, name), now).filter(pl.col("day_h") > 0)
        made = made.join(count_sums(tomorrow, name, None, now).select(*KEY, then="actual"), on=KEY)
        made = made.join(after[name].select(*KEY, "known_h", "rest_h", last="actual"), on=KEY, suffix="_last")
        begun = pl.col("known_h") > 0
        usual = pl.col("actual").filter(begun).sum() / pl.col("known_h").filter(begun).sum()
        rate = pl.when(begun).then(pl.col("actual") / pl.col("known_h")).otherwise(usual)
        day = made.select(*_forecast_of("day"), came=pl.col("then") - pl.col("actual"), trivial=rate * pl.col("day_h"))
        ended = made.filter(pl.col("rest_h_last") == 0)
        total = ended.select(*_forecast_of("total"), came="last", trivial=pl.col("actual") + rate * pl.col("rest_h"))
        found += [rows.with_columns(metric=pl.lit(name)) for rows in (day, total)]
    return pl.concat(found)


def _forecast_of(what: str) -> list[pl.Expr]:
    sides = [
        pl.col(f"{what}{side}").alias(name) for side, name in (("", "value"), ("_lower", "lower"), ("_upper", "upper"))
    ]
    return [pl.col("known_h"), *sides, pl.lit(what).alias("what")]


def _by_flight(rows: pl.DataFrame) -> dict[str, dict[str, float]]:
    edges = list(FLIGHT_H.values())[:-1]
    group = pl.col("known_h").cut([edge + 0.5 for edge in edges], labels=list(FLIGHT_H)).cast(pl.String)
    groups = rows.drop_nulls(["value", "came", "trivial"]).with_columns(group=group)
    names = [name for name in FLIGHT_H if name in set(groups["group"])]
    return {"all": _figures(groups)} | {name: _figures(groups.filter(group=name)) for name in names}


def _figures(rows: pl.DataFrame) -> dict[str, float]:
    """``n``; ``wape`` and ``trivial_wape`` (errors, all together, over what came, 0: none), ``coverage_90`` and
    ``width`` (of all intervals over what came).
    """
    came = pl.col("came").sum()
    told = rows.select(
        n=pl.len(),
        wape=(pl.col("value") - pl.col("came")).abs().sum() / came,
        trivial_wape=(pl.col("trivial") - pl.col("came")).abs().sum() / came,
        coverage_90=pl.col("came").is_between(pl.col("lower") - ROUNDING, pl.col("upper") + ROUNDING).mean(),
        width=(pl.col("upper") - pl.col("lower")).sum() / came,
    )
    return {name: round(float(value), 4) for name, value in told.row(0, named=True).items()}
