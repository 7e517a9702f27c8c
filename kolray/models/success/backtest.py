"""Rolling-origin backtest of the forecaster on any panel, beside the seasonal naive.

At each of the newest ``origins``, a horizon apart, all is fitted on what was known there: members, blend and
intervals. What comes after is only judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats, known_mean, percentage_errors, seasonal_scale
from kolray.models.splits import rolling_origins
from kolray.models.success.design import Design
from kolray.models.success.forecaster import Forecast, Forecaster, fit_forecaster
from kolray.models.success.members import seasonal_naive
from kolray.models.success.prophet import Prophets
from kolray.models.success.series import Panel

THOROUGH: dict[str, Any] = {"rounds": 600, "learning_rate": 0.04, "num_leaves": 63, "rows": 450_000}
"""LightGBM's parameters where only the forecast counts, not the time to train."""
MIN_SEASONS = 2


@dataclass(frozen=True)
class BacktestReport:
    """Means over series, then origins; sMAPE in 0-200 %, MASE as in M4 (scaled by the seasonal naive in sample).

    ``fit_s``: of one origin. ``forecast_ms_per_series``: all horizons of a series, in a batch. ``by_horizon``: the
    same figures, step by step. ``weights``: of the newest origin; ``important_weights``: of the series that Prophet was
    run for, empty where it earned none. ``left_out``: series → why.
    """

    series: int
    origins: int
    smape: float
    mase: float
    rmsle: float | None
    coverage_90: float
    baseline_smape: float
    baseline_mase: float
    fit_s: float
    forecast_ms_per_series: float
    weights: dict[str, float]
    important_weights: dict[str, float] = field(default_factory=dict)
    by_horizon: list[dict[str, float]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


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
    horizon = design.max_horizon
    needed = horizon * (origins + 1) + min(MIN_SEASONS * design.season, horizon)
    known = (~np.isnan(panel.values)).sum(axis=1)
    left_out = {panel.ids[i]: f"it has {known[i]} values; {needed} are needed" for i in np.flatnonzero(known < needed)}
    if len(left_out) == len(panel.ids):
        raise InvalidInputError(
            f"no series has the {needed} values that {origins} origins of {horizon} steps need; the longest has"
            f" {known.max()}. Choose fewer origins or a shorter horizon."
        )
    mine = panel.of(np.flatnonzero(known >= needed))
    cuts = rolling_origins(mine.values.shape[1], horizon, origins, horizon)
    counts = bool(np.all(mine.values[~np.isnan(mine.values)] >= 0))
    parts = []
    for cut in cuts:
        history, actual = mine.before(cut), mine.values[:, cut : cut + horizon]
        started = time.monotonic()
        own = THOROUGH | (params or {})
        fitted = fit_forecaster(history, design, own, seed, counts=False, prophets=prophets)
        fit_s = time.monotonic() - started
        parts.append(_judged(fitted, history, actual, fit_s, prophets, counts=counts))
        step()
    return _report(parts, len(mine.ids), left_out)


def _judged(
    fitted: Forecaster, history: Panel, actual: Floats, fit_s: float, prophets: Prophets | None, *, counts: bool
) -> dict[str, Any]:
    started = time.monotonic()
    made = fitted.forecast(history, fit=prophets.fit if prophets else None)
    ms = 1000 * (time.monotonic() - started) / len(history.ids)
    naive = seasonal_naive(history.values, actual.shape[1], fitted.design.season)
    naive = np.where(np.isnan(naive), np.nan_to_num(np.nanmean(history.values, axis=1))[:, None], naive)
    scale = seasonal_scale(history.values, fitted.design.season)
    errors = {"": _errors(actual, made.value, scale), "baseline_": _errors(actual, naive, scale)}
    logs = _log_errors(actual, made) if counts else None
    covered = np.where(np.isnan(actual), np.nan, (actual >= made.lower) & (actual <= made.upper))
    return {
        "cells": {f"{who}{name}": cells for who, both in errors.items() for name, cells in both.items()}
        | {"coverage_90": covered},
        "logs": logs,
        "fit_s": fit_s,
        "ms": ms,
        "weights": fitted.blend.weights,
        "important": fitted.important.blend.weights if fitted.important else {},
    }


def _errors(actual: Floats, forecast: Floats, scale: Floats) -> dict[str, Floats]:
    missed = np.abs(actual - forecast)
    return {"smape": percentage_errors(actual, forecast), "mase": missed / scale[:, None]}


def _log_errors(actual: Floats, made: Forecast) -> Floats:
    return (np.log1p(np.maximum(actual, 0.0)) - np.log1p(np.maximum(made.value, 0.0))) ** 2


def _report(parts: list[dict[str, Any]], series: int, left_out: dict[str, str]) -> BacktestReport:
    names = list(parts[0]["cells"])
    figures = {name: _mean([_mean(list(known_mean(part["cells"][name], axis=1))) for part in parts]) for name in names}
    horizons = parts[0]["cells"][names[0]].shape[1]
    logs = [np.sqrt(np.nanmean(part["logs"])) for part in parts if part["logs"] is not None]
    return BacktestReport(
        series=series,
        origins=len(parts),
        rmsle=_mean(logs) if logs else None,
        fit_s=round(_mean([part["fit_s"] for part in parts]), 2),
        forecast_ms_per_series=round(_mean([part["ms"] for part in parts]), 3),
        weights=parts[-1]["weights"],
        important_weights=parts[-1]["important"],
        by_horizon=[
            {"horizon": h + 1}
            | {name: _mean([np.nanmean(part["cells"][name][:, h]) for part in parts]) for name in names}
            for h in range(horizons)
        ],
        left_out=left_out,
        **figures,
    )


def _mean(values: list[Any]) -> float:
    known = [float(value) for value in values if not np.isnan(value)]
    return sum(known) / len(known) if known else float("nan")
