"""The night's work in its order: the lake, scores, features for serving, maintenance, drift, training that is due, and
forecasts by the champion of then.

Each step is recorded under the night it belongs to. A run that failed starts again at the step that failed; a night
that is done does nothing. Every step may also be repeated by itself: what it writes has keys or transaction ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import date
from typing import Any

from kolray.clock import Clock, SystemClock
from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.journal import Journal, Step
from kolray.lake.maintenance import maintain
from kolray.lake.scores import copy_scores
from kolray.lake.tables import LakeTables
from kolray.lake.turns import takes_turn
from kolray.models.campaigns import forecast_campaigns
from kolray.models.forecast_pipeline import run_forecasts
from kolray.models.lifecycle import KINDS, newest_features
from kolray.models.retrain import retrain
from kolray.models.sentiment import kept_classifiers
from kolray.models.watch import watch_models
from kolray.observability.runs import Runs
from kolray.settings import Settings
from kolray.stores.open import open_feature_store, open_metrics_store

Work = Callable[[], dict[str, Any]]


def nightly(
    settings: Settings,
    night: date | None = None,
    clock: Clock | None = None,
    started: Callable[[str], None] = print,
    only: str | None = None,
) -> Iterator[Step]:
    """Runs what the night (default: today, UTC) still lacks; yields each step when it is done.

    Args:
        started: told the name of each step before it runs.
        only: this step alone, for who calls them one by one.

    Raises:
        InvalidInputError: there is no step of the name ``only``.
        KolrayError: a step failed; it is recorded, and the next run of the night starts there.
    """
    clock = clock or SystemClock()
    day = night or clock.now().date()
    journal = Journal(LakeTables(settings.lake_root), f"nightly {day}", clock)
    works = steps(settings, clock)
    if only is not None and only not in works:
        raise InvalidInputError(f"the night has no step {only!r}; there are {', '.join(works)}")
    with Runs(settings.home, clock).record("nightly") if only is None else nullcontext():
        for name, work in works.items():
            if only not in (None, name):
                continue
            started(name)
            yield journal.once(name, work)


def steps(settings: Settings, clock: Clock) -> dict[str, Work]:
    """Name → work, in the order in which each needs what stands before it."""
    from kolray.lake.bronze_pipeline import run_bronze
    from kolray.lake.gold_pipeline import run_gold
    from kolray.lake.silver_pipeline import run_silver

    return {
        "bronze": lambda: run_bronze(settings, clock),
        "silver": lambda: run_silver(settings, kept_classifiers(settings)()),
        "gold": lambda: run_gold(settings, clock=clock),
        "scores": lambda: _scores(settings),
        "features": lambda: _features(settings),
        "maintain": lambda: _maintain(settings, clock),
        "drift": lambda: watch_models(settings, clock),
        **{f"retrain {kind}": lambda kind=kind: retrain(settings, clock, kind) for kind in KINDS},  # type: ignore[misc]
        "forecasts": lambda: _forecasts(settings),
    }


def _scores(settings: Settings) -> dict[str, Any]:
    store = open_metrics_store(settings)
    try:
        return {"gold.scores": copy_scores(LakeTables(settings.lake_root), store)}
    finally:
        store.close()


@takes_turn
def _features(settings: Settings) -> dict[str, Any]:
    """Serving finds the newest features of the lake in Redis."""
    try:
        features = newest_features(settings.lake_root)
    except NotFoundError as nothing:
        return {"skipped": str(nothing)}
    lookup = open_feature_store(settings.redis)
    lookup.put_features(features)
    lookup.close()
    return {"features": features.height}


def _forecasts(settings: Settings) -> dict[str, Any]:
    return {**_if_any(run_forecasts, settings), "campaigns": _if_any(forecast_campaigns, settings)}


def _if_any(work: Callable[[Settings], dict[str, Any]], settings: Settings) -> dict[str, Any]:
    try:
        return work(settings)
    except NotFoundError as nothing:
        return {"skipped": str(nothing)}


def _maintain(settings: Settings, clock: Clock) -> dict[str, Any]:
    done = list(maintain(LakeTables(settings.lake_root), settings.lake, clock))
    totals = {
        "days_rewritten": sum(table.days_rewritten for table in done),
        "days_dropped": sum(table.days_dropped for table in done),
        "files_deleted": sum(table.files_deleted for table in done),
    }
    waits = {table.table: ", ".join(table.waits) for table in done if table.waits}
    return totals | ({"waits": waits} if waits else {})
