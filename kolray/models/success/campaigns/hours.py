"""Hours of campaigns as rows: what came in each, and what is known before it about how much comes.

The same rows teach and are forecast: of hours that are past the counts are known, of later ones they are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.events import TIME
from kolray.models.metrics import Floats
from kolray.models.success.beside import phase_names
from kolray.models.success.calendar import LOCAL
from kolray.models.success.campaigns.counterfactual import DAY, LOOKBACK_H
from kolray.models.success.campaigns.money import KEY

TRACKED = ("impressions", "clicks", "conversions")
"""Counts of tracked pages; the others are ``revenue``, and what the KOL has while the campaign runs."""
COUNTS = (*TRACKED, "revenue", "engagement", "reach")
FARTHEST_H = 7 * DAY
"""Hours after now that are forecast."""
LEAST = 0.05
"""A KOL's usual hour is at least this, so that one without reactions has a scale too."""
LEVELS = 12
"""Tiers, categories and phases that are told apart: the most frequent ones."""


@dataclass(frozen=True)
class CampaignHours:
    """``campaigns``: those that have hours, by ``KEY``; ``hours``: of all of them, by campaign, then time; campaign
    ``i`` has those from ``starts[i]`` to before ``starts[i + 1]``, of which the first ``known[i]`` are past.

    ``counts``: by name of ``COUNTS``, NaN where not known; ``told``: (hours, columns) what the rate is learnt from.
    ``units``: of each campaign, by name, what a count of 1 is: ``revenue`` counts mean conversions in its currency,
    ``engagement`` (likes, comments, shares) and ``reach`` (impressions on the platform) the KOL's usual hours, so that
    campaigns of all sizes and currencies teach each other. NaN: there is nothing to measure by.
    """

    campaigns: pl.DataFrame
    hours: pl.Series
    starts: NDArray[np.int64]
    known: NDArray[np.int64]
    counts: dict[str, Floats]
    told: Floats
    units: dict[str, Floats]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Hours of each campaign."""
        return np.diff(self.starts)

    def unit(self, name: str) -> Floats:
        """What a count of 1 is, of each campaign."""
        return self.units.get(name, np.ones(self.campaigns.height))


def campaign_hours(
    booked: pl.DataFrame, hits: pl.DataFrame, kpi: pl.DataFrame, kols: pl.DataFrame, now: datetime
) -> CampaignHours:
    """Rows of the campaigns that have hours.

    Args:
        booked: see ``with_money``.
        hits: rows of ``gold.campaign_hourly``; those from ``now`` on are not looked at.
        kpi: rows of ``gold.kpi_hourly``, likewise.
        kols: rows of ``ref.kols``.
        now: the first hour that is not complete.
    """
    end = pl.lit(now + timedelta(hours=FARTHEST_H)).cast(TIME)
    told = booked.with_columns(until=pl.min_horizontal(pl.col("after").fill_null(end), end))
    told = told.filter(pl.col("first") < pl.col("until")).sort(KEY)
    told = told.join(kols.select("kol_id", "tier"), on="kol_id", how="left", maintain_order="left")
    social = _social(kpi.filter(pl.col("hour") < now))
    told, course = _usual(told, social)
    rows = _rows(told, course, hits, social, now)
    size = rows.group_by(KEY, maintain_order=True).agg(n=pl.len(), past=(pl.col("hour") < now).sum())
    n = size["n"].to_numpy()
    units = {name: told[unit].fill_null(float("nan")).to_numpy() for name, unit in _UNITS.items()}
    counts = {name: rows[name].fill_null(float("nan")).to_numpy() for name in COUNTS}
    counts |= {name: counts[name] / np.repeat(unit, n) for name, unit in units.items()}
    starts, known = np.append(0, n.cumsum()).astype(np.int64), size["past"].to_numpy().astype(np.int64)
    return CampaignHours(told, rows["hour"], starts, known, counts, _described(rows), units)


_UNITS = {"revenue": "worth", "engagement": "usual_engagement", "reach": "usual_reach"}


def _social(kpi: pl.DataFrame) -> pl.DataFrame:
    """``kol_id, hour, reach, engagement``."""
    engagement = pl.sum_horizontal("likes", "comments", "shares").cast(pl.Float64)
    rows = kpi.select(
        "kol_id", pl.col("hour").cast(TIME), reach=pl.col("impressions").cast(pl.Float64), engagement=engagement
    )
    return rows.group_by("kol_id", "hour").agg(pl.col("reach", "engagement").sum())


def _usual(told: pl.DataFrame, social: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Campaigns with ``usual_engagement`` and ``usual_reach`` of an hour in the week before (of a KOL that is younger:
    in all that is known of it); and by ``KEY`` and hour of the day ``course``, the log of how that reach departs.
    """
    mine = told.select(*KEY, "first").join(social, on="kol_id")
    week = pl.col("first") - timedelta(hours=LOOKBACK_H)
    before = pl.col("hour").is_between(week, "first", closed="left")
    levels = [
        pl.coalesce(pl.col(name).filter(before).mean(), pl.col(name).mean()).clip(LEAST).alias(f"usual_{name}")
        for name in ("engagement", "reach")
    ]
    levels.append(pl.col("hour").min().alias("known_since"))
    told = told.join(mine.group_by(KEY).agg(levels), on=KEY, how="left", maintain_order="left")
    past = mine.filter(before)
    whole = past.group_by(KEY).agg(mean=pl.col("reach").mean()).filter(pl.col("mean") > 0)
    course = past.group_by(*KEY, at=pl.col("hour").dt.hour()).agg(pl.col("reach").mean()).join(whole, on=KEY)
    return told, course.select(*KEY, "at", course=(pl.col("reach") / pl.col("mean")).clip(LEAST).log())


def _rows(
    told: pl.DataFrame, course: pl.DataFrame, hits: pl.DataFrame, social: pl.DataFrame, now: datetime
) -> pl.DataFrame:
    """An hour of a campaign each, with ``COUNTS`` and what ``_described`` needs; silence is 0."""
    seen = hits.filter(pl.col("hour") < now).select(
        *KEY,
        pl.col("hour").cast(TIME),
        **{name: pl.col(f"web_{name}").cast(pl.Float64) for name in TRACKED},
        revenue=pl.col("value"),
    )
    kept = told.select(
        *KEY,
        "first",
        "after",
        "budget",
        "category",
        "phases",
        "tier",
        "usual_reach",
        "known_since",
        hours=_every_hour(),
    )
    rows = kept.explode("hours").rename({"hours": "hour"}).with_columns(at=pl.col("hour").dt.hour())
    rows = rows.join(seen, on=[*KEY, "hour"], how="left", maintain_order="left")
    rows = rows.join(social, on=["kol_id", "hour"], how="left", maintain_order="left")
    past = pl.col("hour") < now
    there = past & (pl.col("hour") >= pl.col("known_since"))  # before a KOL's first hour nothing is known of it
    rows = rows.with_columns(
        pl.when(there if name in ("engagement", "reach") else past).then(pl.col(name).fill_null(0.0)).alias(name)
        for name in COUNTS
    )
    return rows.join(course, on=[*KEY, "at"], how="left", maintain_order="left")


def _every_hour() -> pl.Expr:
    return pl.datetime_ranges("first", "until", "1h", closed="left")


def _described(rows: pl.DataFrame) -> Floats:
    """Columns of the rate: course of the day, the KOL's own course and reach, weekend, budget, time since the start,
    and which tier, category and phase it is of.
    """
    local = pl.col("hour") + LOCAL
    turn = local.dt.hour().cast(pl.Float64) * (2 * np.pi / DAY)
    gone = (pl.col("hour") - pl.col("first")).dt.total_hours()
    long = (pl.col("after") - pl.col("first")).dt.total_hours()
    plain = rows.select(
        *((fn(turn * k)).alias(f"{fn.__name__}{k}") for k in (1, 2) for fn in (pl.Expr.sin, pl.Expr.cos)),
        course=pl.col("course").fill_null(0.0),
        weekend=(local.dt.weekday() >= 6).cast(pl.Float64),
        reach=_filled(pl.col("usual_reach").log()),
        budget=_filled(pl.when(pl.col("budget") > 0).then((pl.col("budget") / long).log())),
        gone=gone.cast(pl.Float64).log1p(),
    )
    names = rows.select("tier", "category", phase=_phase(gone / long))
    return np.concatenate([plain.to_numpy(), *(_which(names[name]) for name in names.columns)], axis=1)


def _filled(value: pl.Expr) -> pl.Expr:
    """Where it is not known, the mean of those where it is."""
    return value.fill_null(value.mean()).fill_null(0.0)


def _phase(part: pl.Expr) -> pl.Expr:
    """Phases share a campaign's time equally."""
    names = pl.col("phases").map_elements(phase_names, return_dtype=pl.List(pl.String))
    place = (part.fill_null(0.0) * names.list.len()).floor().cast(pl.Int64)
    return names.list.get(place, null_on_oob=True)


def _which(names: pl.Series) -> Floats:
    """A column for each of the most frequent names, 1 where it is the row's."""
    counted = names.drop_nulls().value_counts(sort=True).sort("count", names.name, descending=[True, False])
    return np.stack(
        [names.eq_missing(name).to_numpy() for name in counted[names.name][:LEVELS]] or [np.zeros(len(names))], 1
    ).astype(float)
