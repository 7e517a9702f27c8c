"""Gold's reading and writing: days and weeks to files that a commit makes visible, features as of a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
from deltalake import write_deltalake

from kolray.events import COUNTS, KINDS, SCHEMAS, Kind
from kolray.features import compute_features
from kolray.features.compute import LOOKBACK
from kolray.lake.commit import commit_parts, replace_days
from kolray.lake.gold import day_tables, weekly
from kolray.lake.gold_plan import DAILY, WEEKLY, Refresh, by_day, week_days
from kolray.lake.overlap import retried
from kolray.lake.parts import PartFile, write_parts
from kolray.lake.reference import current
from kolray.lake.tables import TABLES, LakeTables, Root, arrow_ready

Written = tuple[str, PartFile]
Write = Callable[[Root, list[Any]], Iterable[Written]]
Spread = Callable[[Write, Root, list[Any]], list[Written]]
"""Runs ``write(root, work)`` on shares of the work: by Ray, or in a test by itself."""
FEATURES = "gold.features"
_ADDED: dict[Kind, tuple[str, ...]] = {"social": ("available_at", "sentiment"), "web": ("available_at",)}
_READ: dict[Kind, tuple[str, ...]] = {
    "social": ("kol_id", "platform", "event_time", "post_id", *COUNTS, "followers", "sentiment"),
    "web": ("event_id", "kol_id", "campaign_id", "event_type", "event_time", "value", "currency", "visitor"),
}


def refresh(tables: LakeTables, plan: dict[str, Refresh], spread: Spread) -> dict[str, int]:
    """Carries out a plan, days before the weeks that are made of them; returns table → rows written.

    Each table is one commit. A run that dies between two of them leaves the later ones to the next run, as they are.
    A table that another run wrote since the plan is not among the results: plan again.
    """
    daily = {name: plan[name] for name in DAILY if name in plan}
    counts = _commit(tables, daily, spread(write_days, tables.root, list(by_day(plan).items())))
    if WEEKLY in plan and len(counts) == len(daily):  # else of days that another run may have made of less
        counts |= _commit(tables, {WEEKLY: plan[WEEKLY]}, spread(write_weeks, tables.root, list(plan[WEEKLY].days)))
    return counts


def _commit(tables: LakeTables, plan: dict[str, Refresh], written: list[Written]) -> dict[str, int]:
    counts = {}
    for name, planned in plan.items():
        parts = [part for table, part in written if table == name]
        if replace_days(name, tables.path(name), parts, planned.days, planned.sources):
            counts[name] = sum(part.rows for part in parts)
    return counts


def write_days(root: Root, work: Iterable[tuple[date, list[str]]]) -> Iterator[Written]:
    """Files of (day, names of the tables to write), one day in memory at a time; nothing is visible yet."""
    tables = LakeTables(root)
    kols = current(root, "kols")
    for day, names in work:
        made = day_tables(_of_day(tables, "social", day), _of_day(tables, "web", day), kols)
        for name in names:
            yield from ((name, part) for part in write_parts(name, tables.path(name), made[name]))


def _of_day(tables: LakeTables, kind: Kind, day: date) -> pl.DataFrame:
    return tables.scan(f"silver.{kind}").filter(pl.col("dt") == day).select(_READ[kind]).collect()


def write_weeks(root: Root, mondays: Iterable[date]) -> Iterator[Written]:
    """Files of weeks from ``gold.kpi_daily``, which must be up to date."""
    tables = LakeTables(root)
    for monday in mondays:
        days = tables.scan("gold.kpi_daily").filter(pl.col("dt").is_in(week_days(monday))).collect()
        yield from ((WEEKLY, part) for part in write_parts(WEEKLY, tables.path(WEEKLY), weekly(days)))


def features_at(tables: LakeTables, as_of: datetime, known_at: datetime | None = None) -> pl.DataFrame:
    """``compute_features`` from silver, of which only the days looked back at are read."""
    social, web = (_looked_back(tables, kind, as_of, as_of) for kind in KINDS)
    return compute_features(social, web, as_of, known_at)


def features_of_times(tables: LakeTables, times: list[datetime]) -> Iterator[pl.DataFrame]:
    """Features as of each of some times near each other, in this order; the days that they share are read once."""
    social, web = (_looked_back(tables, kind, min(times), max(times)).collect().lazy() for kind in KINDS)
    for at in times:
        yield compute_features(social, web, at)


def _looked_back(tables: LakeTables, kind: Kind, first: datetime, last: datetime) -> pl.LazyFrame:
    days = pl.col("dt").is_between((first - LOOKBACK).date(), last.date())
    return tables.scan(f"silver.{kind}").filter(days).select(*SCHEMAS[kind], *_ADDED[kind])


def ends_of_days(days: Iterable[date], now: datetime) -> list[datetime]:
    """The midnights that end these days, as far as they are past."""
    midnights = (datetime.combine(day + timedelta(days=1), time(), UTC) for day in days)
    return [at for at in midnights if at <= now]


def store_features(tables: LakeTables, features: pl.DataFrame, as_of: datetime) -> int:
    """Makes these the features of ``as_of``, replacing what was held of that time alone; returns rows written.

    Raises:
        ConflictError: other writers were faster at each try.
    """
    if not features.height:
        return 0
    rows = arrow_ready(features.with_columns(dt=pl.lit(as_of.date())), FEATURES).to_arrow()
    path, options = tables.path(FEATURES), tables.options
    at = features["as_of"][0].isoformat(timespec="milliseconds")
    same = f"dt = '{as_of.date()}' AND as_of = '{at}'"
    if not tables.exists(FEATURES):
        commit_parts(FEATURES, path, pl.Schema(TABLES[FEATURES]), [], {})

    def write() -> None:  # a table of an earlier kolray lacks features that were added since
        write_deltalake(path.url, rows, mode="overwrite", schema_mode="merge", predicate=same, storage_options=options)

    retried(FEATURES, write)
    return features.height
