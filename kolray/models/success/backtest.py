"""Rolling-origin backtest of the forecaster on any panel, beside the seasonal naive.

At each of the newest ``origins``, a horizon apart, all is fitted on what was known there: members, blend and
intervals. What comes after is only judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

from kolray.errors import InvalidInputError
from kolray.models.metrics import known_mean
from kolray.models.splits import rolling_origins
from kolray.models.success.backtest_report import Backtested, BacktestReport, Judged
from kolray.models.success.design import Design
from kolray.models.success.forecaster import Forecaster, fit_forecasters
from kolray.models.success.members import DEFAULTS, seasonal_naive
from kolray.models.success.prophet import Prophets, fit_of
from kolray.models.success.series import Panel

THOROUGH: dict[str, Any] = {"rounds": 600, "learning_rate": 0.04, "num_leaves": 63, "rows": 450_000}
"""LightGBM's parameters where only the forecast counts, not the time to train."""
LONG_STEP = timedelta(days=7)
"""Hour, weekday and holidays say nothing of steps that long."""
MIN_SEASONS = 2


def backtest(
    panel: Panel,
    design: Design,
    origins: int,
    seed: int,
    params: dict[str, Any] | None = None,
    step: Callable[[], None] = lambda: None,
    prophets: Prophets | None = None,
) -> BacktestReport:
    """Fits and judges at the newest ``origins``; series too short for the oldest one are left out with a reason.

    Args:
        params: of LightGBM, over ``THOROUGH``.
        step: called after each origin.
        prophets: fits Prophet to important series.

    Raises:
        InvalidInputError: no series is long enough.
    """
    own = THOROUGH | (params or {})
    if panel.step >= LONG_STEP:
        design = replace(design, calendar=False)
    found = judge_origins({"": panel}, design, origins, own, seed, step, prophets, counts=False)
    return found[""].report()


def backtest_metrics(
    panels: Mapping[str, Panel],
    design: Design,
    origins: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
    prophets: Prophets | None = None,
) -> dict[str, Backtested]:
    """The same of the success model, by metric: as it is trained, on panels of ``train.metric_panels``."""
    told = {metric: panel for metric, panel in panels.items() if panel.ids}
    return judge_origins(told, design, origins, DEFAULTS, seed, step, prophets, counts=True)


def judge_origins(
    panels: Mapping[str, Panel],
    design: Design,
    origins: int,
    params: dict[str, Any],
    seed: int,
    step: Callable[[], None],
    prophets: Prophets | None,
    *,
    counts: bool,
) -> dict[str, Backtested]:
    """Fits all panels at each origin as one forecaster with an own blend each, and judges each panel.

    Raises:
        InvalidInputError: no series is long enough.
    """
    long = {name: _long_enough(panel, design, origins) for name, panel in panels.items()}
    mine = {name: panel for name, (panel, _) in long.items() if panel.ids}
    if not mine:
        raise InvalidInputError(_too_short(panels, design, origins))
    width = next(iter(mine.values())).values.shape[1]
    parts: dict[str, list[Judged]] = {name: [] for name in mine}
    for cut in rolling_origins(width, design.max_horizon, origins, design.max_horizon):
        started = time.monotonic()
        before = {name: panel.before(cut) for name, panel in mine.items()}
        fitted = fit_forecasters(before, design, params, seed, counts=counts, prophets=prophets)
        fit_s = time.monotonic() - started
        for name, panel in mine.items():
            parts[name].append(_judged(fitted[name], panel, cut, fit_s, prophets))
        step()
    return {name: Backtested(part, long[name][1]) for name, part in parts.items()}


def _long_enough(panel: Panel, design: Design, origins: int) -> tuple[Panel, dict[str, str]]:
    known, needed = (~np.isnan(panel.values)).sum(axis=1), _needed(design, origins)
    left_out = {panel.ids[i]: f"it has {known[i]} values; {needed} are needed" for i in np.flatnonzero(known < needed)}
    return panel.of(np.flatnonzero(known >= needed)), left_out


def _needed(design: Design, origins: int) -> int:
    return design.max_horizon * (origins + 1) + min(MIN_SEASONS * design.season, design.max_horizon)


def _too_short(panels: Mapping[str, Panel], design: Design, origins: int) -> str:
    longest = max((int((~np.isnan(p.values)).sum(axis=1).max()) for p in panels.values() if p.ids), default=0)
    return (
        f"no series has the {_needed(design, origins)} values that {origins} origins of {design.max_horizon} steps "
        f"need; the longest has {longest}. Choose fewer origins or a shorter horizon."
    )


def _judged(fitted: Forecaster, panel: Panel, cut: int, fit_s: float, prophets: Prophets | None) -> Judged:
    history, horizon = panel.before(cut), fitted.design.max_horizon
    started = time.monotonic()
    made = fitted.forecast(history, fit=fit_of(prophets))
    ms = 1000 * (time.monotonic() - started) / len(history.ids)
    naive = seasonal_naive(history.values, horizon, fitted.design.season)
    naive = np.where(np.isnan(naive), np.nan_to_num(known_mean(history.values, axis=1))[:, None], naive)
    actual = panel.values[:, cut : cut + horizon]
    important = fitted.important.blend.weights if fitted.important else {}
    return Judged(history, actual, made, naive, fitted.design.season, fitted.blend.weights, important, fit_s, ms)
