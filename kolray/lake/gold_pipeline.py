"""Ray shell of gold: tasks write files of days, the driver commits each table once. [ray]"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import ray

from kolray.clock import Clock, SystemClock
from kolray.lake.gold_files import (
    FEATURES,
    Write,
    Written,
    ends_of_days,
    features_at,
    features_of_times,
    refresh,
    store_features,
)
from kolray.lake.gold_plan import Refresh, plan_changed, plan_range
from kolray.lake.overlap import until_undisturbed
from kolray.lake.tables import LakeTables, Root
from kolray.lake.turns import takes_turn
from kolray.local.cluster import join_ray
from kolray.observability.runs import recorded
from kolray.settings import Settings

DAYS_A_TASK = 7
"""Days whose features one task makes: each looks back at 28 days, which a week of them shares."""


@recorded("lake gold")
@takes_turn
def run_gold(settings: Settings, as_of: datetime | None = None, clock: Clock | None = None) -> dict[str, int]:
    """Makes the KPIs of days and weeks that silver changed, and the features as of a time (default: now).

    Returns:
        Table → rows written; tables that were up to date are left out.
    """
    tables = LakeTables(settings.lake_root)
    counts = _refresh(tables, lambda: plan_changed(tables))
    at = as_of or (clock or SystemClock()).now()
    return counts | {FEATURES: store_features(tables, features_at(tables, at), at)}


@takes_turn
def backfill_gold(settings: Settings, first: date, last: date, clock: Clock | None = None) -> dict[str, int]:
    """Makes all of gold from ``first`` to ``last`` (included) again, with features as of the end of each past day
    that has events.

    Returns:
        Table → rows written.

    Raises:
        InvalidInputError: ``last`` is before ``first``.
    """
    tables = LakeTables(settings.lake_root)
    counts = _refresh(tables, lambda: plan_range(tables, first, last))
    hours = plan_range(tables, first, last).get("gold.kpi_hourly")
    times = ends_of_days(hours.days if hours else (), (clock or SystemClock()).now())
    if times:
        join_ray()
    shares = [times[start : start + DAYS_A_TASK] for start in range(0, len(times), DAYS_A_TASK)]
    made = [_features_of.remote(tables.root, share) for share in shares]
    rows = 0
    for share, ref in zip(shares, made, strict=True):
        for at, features in zip(share, ray.get(ref), strict=True):
            rows += store_features(tables, pl.DataFrame(features), at)
    return counts | ({FEATURES: rows} if rows else {})


def _refresh(tables: LakeTables, planned: Callable[[], dict[str, Refresh]]) -> dict[str, int]:
    """Carries out plans until no other run's commit makes one void; returns table → rows written."""
    counts: dict[str, int] = {}

    def undisturbed() -> bool:
        plan = planned()
        done = refresh(tables, plan, _spread)
        counts.update({name: rows for name, rows in done.items() if plan[name].days})  # else silver was only compacted
        return len(done) == len(plan)

    until_undisturbed("gold", undisturbed)
    return counts


def _spread(write: Write, root: Root, work: list[Any]) -> list[Written]:
    """Shares work out among the cluster's CPUs; every second day and not halves, as recent days are the larger ones."""
    if not work:
        return []
    join_ray()
    tasks = min(len(work), max(1, int(ray.cluster_resources().get("CPU", 1))))
    refs = [_write.remote(write, root, work[start::tasks]) for start in range(tasks)]
    return [part for parts in ray.get(refs) for part in parts]


@ray.remote
def _write(write: Write, root: Root, work: list[Any]) -> list[Written]:
    return list(write(root, work))


@ray.remote
def _features_of(root: Root, times: list[datetime]) -> list[pa.Table]:
    return [rows.to_arrow() for rows in features_of_times(LakeTables(root), times)]
