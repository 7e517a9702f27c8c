"""All that is answered about campaigns at one time: what came, what will come, the lift, what the budget returned."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from kolray.events import conform
from kolray.lake.tables import TABLES
from kolray.models.success.campaigns.booked import booked_campaigns
from kolray.models.success.campaigns.cases import cases_of
from kolray.models.success.campaigns.counterfactual import DAY
from kolray.models.success.campaigns.hours import COUNTS, CampaignHours, campaign_hours
from kolray.models.success.campaigns.lift import lifts
from kolray.models.success.campaigns.money import KEY, with_money
from kolray.models.success.campaigns.rates import Rate, fit_rate
from kolray.models.success.forecaster import Forecast

LIFTED = {"engagement": "engagement", "reach": "impressions"}
"""Counts whose lift is told → the metric of the KOL's hours."""
METRICS = (*COUNTS, "roi")
OUTLOOK, POINTS = (
    {name: dtype for name, dtype in TABLES[table].items() if name != "dt"}
    for table in ("gold.campaign_outlook", "gold.campaign_forecasts")
)


class Known(NamedTuple):
    """What the lake knows: rows of ``ref.campaigns``, ``gold.campaign_hourly``, ``gold.kpi_hourly``, ``ref.kols``."""

    campaigns: pl.DataFrame
    hits: pl.DataFrame
    kpi: pl.DataFrame
    kols: pl.DataFrame


def look_ahead(known: Known, now: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``OUTLOOK`` of every campaign and metric of ``METRICS``, and ``POINTS`` of those that run in the next 24 hours.

    ``actual``: until now; ``day``: in the next 24 hours, as far as the campaign runs in them; ``total``: from its start
    until ``until``, which is its end or the farthest hour that is forecast. All with 90 % intervals; null where not
    known (``troubles``, comma separated, say why). ``lift``: see ``lift.lifts``.

    ``roi`` is (revenue - spent) / spent, the return on investment (Farris et al., Marketing Metrics, 3rd ed., 10),
    where ``spent`` is the budget pro rata of the time that is over; revenue is all that tracked pages sold for the
    campaign, not only what would not have been sold without it.

    Args:
        now: the first hour that is not complete.
    """
    told, hours = hours_of(known, now)
    sums, points = [], []
    for name in COUNTS:
        rate = fit_rate(hours, name) if hours.starts[-1] else None
        sums.append(count_sums(hours, name, rate, now))
        points.append(_points(hours, name, rate, now))
    every = told.join(pl.DataFrame({"metric": COUNTS}), how="cross")
    found = every.join(pl.concat(sums), on=[*KEY, "metric"], how="left")
    return _with_lift(_with_roi(found, now), known, told, now), pl.concat(points)


def hours_of(known: Known, now: datetime) -> tuple[pl.DataFrame, CampaignHours]:
    """Campaigns as booked with their money, and their hours."""
    told = booked_campaigns(known.campaigns, known.kpi["kol_id"].unique(), now)
    told = with_money(told, known.hits.filter(pl.col("hour") < now))
    return told, campaign_hours(told, known.hits, known.kpi, known.kols, now)


def count_sums(hours: CampaignHours, name: str, rate: Rate | None, now: datetime) -> pl.DataFrame:
    """``actual``, ``day`` and ``total`` of each campaign with hours, of one count.

    ``known_h, day_h, rest_h``: hours that are over, that are left of the next 24, and that are left.
    """
    every, unit = np.arange(hours.campaigns.height), hours.unit(name)
    came = [np.nansum(part) for part in np.split(hours.counts[name], hours.starts[1:-1])] if len(every) else []
    actual = np.where(np.isnan(unit), np.nan, np.array(came, dtype=float) * unit)
    rest = hours.lengths - hours.known
    of_day = np.minimum(rest, _of_the_day(hours, now))
    day = _forecast(hours, name, rate, every, of_day)
    end = _forecast(hours, name, rate, every, rest)
    over = rest == 0
    columns = {"actual": actual}
    for side, in_day, in_rest in zip(("", "_lower", "_upper"), day, end, strict=True):
        columns[f"day{side}"] = in_day * unit
        columns[f"total{side}"] = actual + np.where(over, 0.0, in_rest * unit)
    spans = {"known_h": hours.known, "day_h": of_day, "rest_h": rest}
    told = hours.campaigns.select(*KEY, "until", metric=pl.lit(name)).with_columns(**spans)
    return told.with_columns(pl.Series(column, values).fill_nan(None) for column, values in columns.items())


def _of_the_day(hours: CampaignHours, now: datetime) -> np.ndarray:
    """How many hours of the next 24 each campaign may run in."""
    left = (pl.lit(now) + timedelta(hours=DAY) - pl.max_horizontal("first", pl.lit(now))).dt.total_hours()
    return hours.campaigns.select(left.clip(0)).to_series().to_numpy()


def _forecast(hours: CampaignHours, name: str, rate: Rate | None, campaign: np.ndarray, length: np.ndarray) -> Forecast:
    """Sums of the next ``length`` hours; NaN of none, and where nothing was learnt."""
    empty = np.full((3, len(campaign)), np.nan)
    mine = np.flatnonzero(length > 0)
    if rate is not None and len(mine):
        at = campaign[mine]
        known = hours.known[at]
        cases = cases_of(hours, hours.counts[name], rate.usual, at, known, known, length[mine])
        empty[:, mine] = rate.forecast(cases)
    return Forecast(*empty)


def _points(hours: CampaignHours, name: str, rate: Rate | None, now: datetime) -> pl.DataFrame:
    """``POINTS`` of one count."""
    unit = hours.unit(name)
    length = np.minimum(hours.lengths - hours.known, _of_the_day(hours, now)) if rate is not None else np.zeros(0, int)
    campaign = np.repeat(np.arange(len(length)), length)
    ahead = np.arange(length.sum()) - np.repeat(length.cumsum() - length, length)
    known = hours.known[campaign]
    if rate is None or not len(campaign):
        return pl.DataFrame(schema=POINTS)
    ones = np.ones(len(campaign), np.int64)
    made = rate.forecast(cases_of(hours, hours.counts[name], rate.usual, campaign, known, known + ahead, ones))
    told = hours.campaigns.select(KEY)[campaign].with_columns(
        metric=pl.lit(name), as_of=pl.lit(now), at=hours.hours.gather(hours.starts[campaign] + known + ahead)
    )
    told = told.with_columns(pl.Series(side, part * unit[campaign]) for side, part in made._asdict().items())
    return told.filter(pl.col("value").is_not_nan()).select(conform(POINTS, told.columns))


def _with_roi(found: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """With ``spent`` until now, and rows of the return where revenue and budget are of one currency."""

    def spent(until: pl.Expr) -> pl.Expr:
        part = (until - pl.col("start")).dt.total_seconds() / (pl.col("end") - pl.col("start")).dt.total_seconds()
        paid = pl.col("budget") * part.clip(0.0, 1.0)
        return pl.when((pl.col("budget") > 0) & pl.col("after").is_not_null()).then(paid)

    found = found.with_columns(spent=spent(pl.lit(now)))
    sums = ("actual", "total", "total_lower", "total_upper")
    until = spent(pl.min_horizontal("until", "end"))
    paid = {name: pl.col("spent") if name == "actual" else until for name in sums}
    money = found.filter((pl.col("metric") == "revenue") & (pl.col("paid_in") == pl.col("currency")))
    roi = money.with_columns(
        *(pl.when(paid[name] > 0).then(pl.col(name) / paid[name] - 1).alias(name) for name in sums),
        *(pl.lit(None, pl.Float64).alias(f"day{side}") for side in ("", "_lower", "_upper")),
        metric=pl.lit("roi"),
    )
    return pl.concat([found, roi])


def _with_lift(found: pl.DataFrame, known: Known, told: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """``OUTLOOK``, by key and metric."""
    names = {"hours": "lift_hours", "why_not": "lift_why_not", "lower": "lift_lower", "upper": "lift_upper"}
    parts = [
        lifts(known.kpi, told, now, metric).with_columns(metric=pl.lit(name)).rename(names)
        for name, metric in LIFTED.items()
    ]
    found = found.join(pl.concat(parts), on=[*KEY, "metric"], how="left")
    found = found.with_columns(as_of=pl.lit(now), troubles=pl.col("troubles").list.join(","))
    return found.select(conform(OUTLOOK, found.columns)).sort(*KEY, "metric")
