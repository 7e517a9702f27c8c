"""Forecasts of every KOL: hours of gold in, ``gold.forecasts`` and Redis out, some KOLs at a time.

Ranges of KOL ids are the unit: days of gold lie in the order of ``kol_id``, so a range reads little beyond its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import polars as pl

from kolray.errors import NotFoundError
from kolray.events import KINDS
from kolray.lake.overlap import Advance, next_turn
from kolray.lake.parts import PartFile, PartWriter
from kolray.lake.tables import LakeTables
from kolray.models.registry import LoadedModel
from kolray.models.success.covariates import Covariates, lake_covariates
from kolray.models.success.design import HOURLY
from kolray.models.success.origin import forecast_origin
from kolray.models.success.prophet import fit_here
from kolray.models.success.series import HOUR, METRICS, hourly_history
from kolray.stores.features import FeatureStore

NAME, HOURS = "gold.forecasts", "gold.kpi_hourly"
BESIDE = ("ref.kols", "ref.campaigns", "gold.scores")
"""Where the model's covariates come from."""
KOLS_AT_ONCE = 4_000
"""Their features are a matrix in memory: 50 columns, 24 rows a KOL."""
LOOKBACK = HOURLY.lookback * HOUR
RANKED = "engagement"
"""The metric whose next day the ``success`` ranking is by."""
SCORED_DAYS = 28
"""Trust is that of a KOL's newest score in so many days."""
Range = tuple[str | None, str | None]
"""Ids from the first (None: the lowest) to before the second (None: all the rest)."""


@dataclass(frozen=True)
class Plan:
    """A batch: the first hour to forecast, the versions of tables to read, and what its commit says of its sources.

    ``important``: of each metric the KOLs that Prophet is fitted for.
    """

    origin: datetime
    versions: dict[str, int]
    sources: dict[str, Advance]
    important: dict[str, list[str]] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the table holds this batch already."""
        return all(way.held == way.reached for way in self.sources.values())

    def committing(self, tables: LakeTables) -> dict[str, Advance]:
        """The sources, and the table's next turn: of two runs of the same batch one goes through."""
        turn = f"{NAME}/replaced"
        return self.sources | {turn: next_turn(tables.transaction(NAME, turn))}


def plan_forecasts(tables: LakeTables, champion: LoadedModel) -> Plan:
    """What the champion would forecast from what the lake holds now.

    Raises:
        NotFoundError: there are no hours yet.
    """
    origin, versions = lake_origin(tables), tables.versions(HOURS, *BESIDE)
    reached = {tables.source(NAME, name): version for name, version in versions.items()}
    reached |= {f"{NAME}/model": champion.version, f"{NAME}/origin_hour": int(origin.timestamp()) // 3600}
    sources = {source: Advance(tables.transaction(NAME, source), to) for source, to in reached.items()}
    return Plan(origin, versions, sources, _important(tables, champion, origin, versions[HOURS]))


def _important(tables: LakeTables, champion: LoadedModel, origin: datetime, version: int) -> dict[str, list[str]]:
    """Of each metric the KOLs of the largest volume, as many as Prophet earned a weight for."""
    found = {}
    for metric, own in champion.model.forecasters.items():
        if own.important is not None:
            rows = _looked_at(tables, origin, version)
            volume = rows.group_by("kol_id").agg(pl.sum_horizontal(pl.col(METRICS[metric]).sum()).alias("volume"))
            largest = volume.sort("volume", "kol_id", descending=[True, False]).head(own.important.series)
            found[metric] = largest.collect()["kol_id"].to_list()
    return found


def lake_origin(tables: LakeTables) -> datetime:
    """The first hour that the lake's gold does not know as a whole.

    Raises:
        NotFoundError: there are no hours yet.
    """
    newest = _newest(tables, HOURS, "hour")
    if newest is None:
        raise NotFoundError(f"the lake at {tables.root} holds no hourly KPIs; run `kolray lake gold`")
    events = [at for kind in KINDS if (at := _newest(tables, f"silver.{kind}", "event_time")) is not None]
    made = _newest(tables, "gold.features", "as_of")
    return forecast_origin(max(events, default=newest + HOUR), made or newest + HOUR)


def _newest(tables: LakeTables, name: str, column: str) -> datetime | None:
    rows = tables.scan(name)
    day = rows.select(pl.col("dt").max()).collect().item()
    found: datetime | None = rows.filter(pl.col("dt").eq_missing(day)).select(pl.col(column).max()).collect().item()
    return found


def ranges_of(tables: LakeTables, origin: datetime) -> list[Range]:
    """Ranges of about ``KOLS_AT_ONCE`` of the KOLs that ``gold.kpi_daily`` knows of; together they hold every id."""
    days = tables.scan("gold.kpi_daily").filter(pl.col("dt") >= (origin - LOOKBACK).date())
    ids = days.select(pl.col("kol_id").unique().sort()).collect()["kol_id"]
    bounds = [None, *ids.gather_every(KOLS_AT_ONCE)[1:], None]
    return list(pairwise(bounds))


def write_forecasts(tables: LakeTables, plan: Plan, champion: LoadedModel, kols: Range) -> list[PartFile]:
    """Files of ``gold.forecasts`` with the hours after ``plan.origin`` of some KOLs; nothing is visible yet."""
    rows = _hours(tables, plan, kols)
    if not rows.height:
        return []
    covariates = lake_covariates(tables.root, plan.versions, _within(kols), SCORED_DAYS)
    made = pl.concat(forecasts_of(rows, plan, champion, covariates))
    writer = PartWriter(NAME, tables.path(NAME))
    writer.write(made.sort("kol_id", "metric", "at"))
    return writer.close()


def forecasts_of(
    hours: pl.DataFrame, plan: Plan, champion: LoadedModel, covariates: Covariates
) -> Iterator[pl.DataFrame]:
    """Rows of ``gold.forecasts`` by metric, from rows of ``gold.kpi_hourly``."""
    told = {"origin": pl.lit(plan.origin), "model": pl.lit(champion.label), "dt": pl.lit(plan.origin.date())}
    model = champion.model
    for metric in model.metrics:
        history, asked = hourly_history(hours, metric), (metric, model.max_horizon, plan.origin, covariates)
        made = model.forecast(history, *asked)
        important = history.filter(pl.col("kol_id").is_in(plan.important.get(metric, [])))
        if important.height:
            own = model.forecast(important, *asked, fit_here)
            made = pl.concat([made.join(own, "kol_id", "anti"), own])
        yield made.with_columns(metric=pl.lit(metric), **told)


def _hours(tables: LakeTables, plan: Plan, kols: Range) -> pl.DataFrame:
    rows = _looked_at(tables, plan.origin, plan.versions[HOURS]).filter(_within(kols))
    counts = {column for columns in METRICS.values() for column in columns}
    return rows.select("kol_id", "hour", *sorted(counts)).collect()


def _looked_at(tables: LakeTables, origin: datetime, version: int) -> pl.LazyFrame:
    """The hours that forecasts from ``origin`` on are made from."""
    since = origin - LOOKBACK
    return tables.scan(HOURS, version).filter(
        pl.col("dt").is_between(since.date(), origin.date()), pl.col("hour") >= since, pl.col("hour") < origin
    )


def _within(kols: Range) -> pl.Expr:
    low, high = kols
    kol_id = pl.col("kol_id")
    above = pl.lit(True) if low is None else kol_id >= low
    return above if high is None else above & (kol_id < high)


def publish_forecasts(tables: LakeTables, origin: datetime, lookup: FeatureStore, kols: Range) -> int:
    """Brings an origin's forecasts of some KOLs to Redis; returns how many."""
    rows = _of_origin(tables, origin).filter(_within(kols)).sort("kol_id", "metric", "at").collect()
    held = rows.group_by("kol_id", "metric", "origin", "model", maintain_order=True).agg("value", "lower", "upper")
    lookup.put_forecasts(held)
    return held["kol_id"].n_unique()


def rank_by_success(tables: LakeTables, origin: datetime, lookup: FeatureStore) -> None:
    """Ranks every KOL by the engagement of its next 24 hours."""
    lookup.put_ranking("success", expected_day(tables, origin).collect(), whole=True)


def newest_origin(tables: LakeTables) -> datetime | None:
    """Of the newest batch in the lake."""
    origin: datetime | None = tables.scan(NAME).select(pl.col("origin").max()).collect().item()
    return origin


def expected_day(tables: LakeTables, origin: datetime) -> pl.LazyFrame:
    """``kol_id, value``: interactions that a batch expects of each KOL in its 24 hours."""
    return _of_origin(tables, origin).filter(metric=RANKED).group_by("kol_id").agg(pl.col("value").sum())


def _of_origin(tables: LakeTables, origin: datetime) -> pl.LazyFrame:
    return tables.scan(NAME).filter((pl.col("dt") == origin.date()) & (pl.col("origin") == origin))
