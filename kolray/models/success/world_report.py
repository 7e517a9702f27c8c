"""A backtest on a generated world: beside each figure the floor, by tier, and for whole days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kolray.models.metrics import Floats, known_mean, percentage_errors
from kolray.models.success.backtest import backtest_metrics
from kolray.models.success.backtest_report import Judged, mean_report
from kolray.models.success.design import HOURLY
from kolray.models.success.prophet import Prophets
from kolray.models.success.train import metric_panels
from kolray.models.success.world import KpiWorld
from kolray.models.success.world_floor import law_forecast

REACHABLE = 10.0
"""sMAPE that a KOL's hours are asked to be forecast to; where even the law does worse, nobody can."""


def judge_world(
    known: KpiWorld,
    origins: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
    prophets: Prophets | None = None,
) -> dict[str, Any]:
    """``BacktestReport`` of the success model on the world; of each metric also ``groups``.

    A group has ``series, smape, baseline_smape, floor_smape`` (who knows the world's law), ``coverage_90`` and, of the
    horizon's sum, ``day_smape, day_baseline_smape, day_floor_smape``. Groups are ``all``, the tiers, and ``reachable``:
    KOLs whose floor is ``REACHABLE`` at most.
    """
    panels = metric_panels(known.kpi, known.covariates())
    found = backtest_metrics(panels, HOURLY, origins, seed, step, prophets)
    told = mean_report({metric: one.report() for metric, one in found.items()}).to_dict()
    for metric, one in found.items():
        told["by_metric"][metric]["groups"] = _groups(known, metric, one.judged)
    return told


def _groups(known: KpiWorld, metric: str, judged: list[Judged]) -> dict[str, dict[str, float]]:
    figures = [_of_series(known, metric, one) for one in judged]
    mean = {name: np.mean([part[name] for part in figures], axis=0) for name in figures[0]}
    tiers = dict(known.world.kols.select("kol_id", "tier").iter_rows())
    tier = np.array([tiers[kol] for kol in judged[0].history.ids])
    members = {name: tier == name for name in sorted(set(tiers.values()))}
    members = {"all": np.ones(len(tier), bool), **members, "reachable": mean["floor_smape"] <= REACHABLE}
    return {
        group: {"series": int(mine.sum())} | {name: float(value[mine].mean()) for name, value in mean.items()}
        for group, mine in members.items()
        if mine.any()
    }


def _of_series(known: KpiWorld, metric: str, one: Judged) -> dict[str, Floats]:
    """Means over the horizon of each series."""
    law = law_forecast(known, metric, one.history.ids, one.history.ends[0], one.actual.shape[1])
    cells = one.cells()
    hours = {name: cells[name] for name in ("smape", "baseline_smape", "coverage_90")}
    hours["floor_smape"] = percentage_errors(one.actual, law)
    made = {"day_smape": one.made.value, "day_baseline_smape": one.naive, "day_floor_smape": law}
    day = one.actual.sum(axis=1)
    days = {name: percentage_errors(day, value.sum(axis=1)) for name, value in made.items()}
    return {name: known_mean(value, axis=1) for name, value in hours.items()} | days
