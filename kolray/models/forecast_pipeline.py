"""Batch forecasts over a cluster: tasks forecast ranges of KOLs and write files, the driver commits them once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any

from kolray.lake.commit import replace_days
from kolray.lake.overlap import until_undisturbed
from kolray.lake.tables import LakeTables
from kolray.lake.turns import takes_turn
from kolray.models.forecasts import (
    NAME,
    Plan,
    Range,
    plan_forecasts,
    publish_forecasts,
    ranges_of,
    rank_by_success,
    write_forecasts,
)
from kolray.models.registry import LoadedModel, ModelRegistry
from kolray.observability.runs import recorded
from kolray.settings import RedisSettings, Settings
from kolray.stores.open import open_feature_store

Row = dict[str, Any]
Spread = Callable[[list[Range], Callable[[Range], Iterable[Row]], int], list[Row]]
"""Runs work on each range and gathers its rows: by Ray Data, or in a test by itself."""


@recorded("forecasts")
def run_forecasts(settings: Settings) -> dict[str, Any]:
    """``forecast_all`` by Ray Data."""
    from kolray.lake.spread import spread  # here: it imports Ray

    return forecast_all(settings, spread)


@takes_turn
def forecast_all(settings: Settings, spread: Spread) -> dict[str, Any]:
    """Forecasts every KOL with the success champion: to ``gold.forecasts``, then to Redis.

    May be repeated: a batch that the table holds is not made again, and its forecasts go to Redis once more.

    Returns:
        ``origin`` (the first hour), ``model``, ``rows`` written to the table, ``kols`` in Redis.

    Raises:
        NotFoundError: no hours in the lake yet, or no champion.
    """
    tables, champion = LakeTables(settings.lake_root), ModelRegistry.of(settings).load("success")
    origin, rows = store_forecasts(tables, champion, spread)
    ranges = ranges_of(tables, origin)
    told = spread(ranges, partial(_publish, tables, origin, settings.redis), len(ranges))
    with closing(open_feature_store(settings.redis)) as lookup:
        rank_by_success(tables, origin, lookup)
    kols = sum(row["kols"] for row in told)
    return {"origin": origin.isoformat(), "model": champion.label, "rows": rows, "kols": kols}


def store_forecasts(tables: LakeTables, champion: LoadedModel, spread: Spread) -> tuple[datetime, int]:
    """Makes the forecasts of the lake's newest whole hour those of their day in ``gold.forecasts``, in one commit.

    The table keeps one batch a day, the newest. A run that was killed leaves it as it was, or done.

    Returns:
        The first hour forecast, and rows written: none where the same gold, model and hour were done before.

    Raises:
        NotFoundError: no hours in the lake yet.
        ConflictError: other runs were faster at each try.
    """
    done: list[tuple[datetime, int]] = []

    def undisturbed() -> bool:
        plan = plan_forecasts(tables, champion)
        if plan.done:
            done.append((plan.origin, 0))
            return True
        sources = plan.committing(tables)
        ranges = ranges_of(tables, plan.origin)
        parts = [row["part"] for row in spread(ranges, partial(_write, tables, plan, champion), len(ranges))]
        if not replace_days(NAME, tables.path(NAME), parts, [plan.origin.date()], sources):
            return False
        done.append((plan.origin, sum(part.rows for part in parts)))
        return True

    until_undisturbed(NAME, undisturbed)
    return done[-1]


def _write(tables: LakeTables, plan: Plan, champion: LoadedModel, kols: Range) -> Iterable[Row]:
    for part in write_forecasts(tables, plan, champion, kols):
        yield {"part": part}


def _publish(tables: LakeTables, origin: datetime, redis: RedisSettings, kols: Range) -> Iterable[Row]:
    with closing(open_feature_store(redis)) as lookup:
        yield {"kols": publish_forecasts(tables, origin, lookup, kols)}
