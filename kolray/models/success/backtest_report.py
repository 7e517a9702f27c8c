"""What a backtest found: figures of forecasts at one origin, and their means over series, then origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kolray.models.metrics import Floats, known_mean, percentage_errors, seasonal_scale
from kolray.models.success.forecaster import Forecast
from kolray.models.success.series import Panel


@dataclass(frozen=True)
class BacktestReport:
    """Means over series, then origins; sMAPE in 0-200 %, MASE as in M4 (scaled by the seasonal naive in sample).

    ``fit_s``: of one origin. ``forecast_ms_per_series``: all horizons of a series, in a batch. ``by_horizon``: the
    same figures, step by step. ``weights``: of the newest origin; ``important_weights``: of the series that Prophet was
    run for, empty where it earned none. ``left_out``: series → why. ``by_metric``: the same of each metric, where there
    are several; the others are then means over them.
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
    by_metric: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """With None for what cannot be told, as JSON knows no NaN."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Judged:
    """Forecasts of a panel at one origin: what was known, what came, and what the seasonal naive had said."""

    history: Panel
    actual: Floats
    made: Forecast
    naive: Floats
    season: int
    weights: dict[str, float]
    important_weights: dict[str, float]
    fit_s: float
    ms: float

    def cells(self) -> dict[str, Floats]:
        """Figures of each series and horizon; NaN: not known."""
        scale = seasonal_scale(self.history.values, self.season)[:, None]
        errors = {"": self.made.value, "baseline_": self.naive}
        made = {f"{who}smape": percentage_errors(self.actual, value) for who, value in errors.items()}
        made |= {f"{who}mase": np.abs(self.actual - value) / scale for who, value in errors.items()}
        inside = (self.actual >= self.made.lower) & (self.actual <= self.made.upper)
        return made | {"coverage_90": np.where(np.isnan(self.actual), np.nan, inside)}

    def log_error(self) -> float:
        """RMSLE; NaN where a value is negative."""
        values = (self.history.values, self.actual)
        if any((part < 0).any() for part in values):
            return float("nan")
        missed = np.log1p(self.actual) - np.log1p(np.maximum(self.made.value, 0.0))
        return float(np.sqrt(np.nanmean(missed**2)))


@dataclass(frozen=True)
class Backtested:
    """A panel's judged origins, the oldest first, and the series that were left out with the reason."""

    judged: list[Judged]
    left_out: dict[str, str]

    def report(self) -> BacktestReport:
        """Means over series, then origins."""
        return _report(self.judged, self.left_out)


def mean_report(reports: Mapping[str, BacktestReport]) -> BacktestReport:
    """One over metrics: each figure the mean of theirs, and each of them in ``by_metric``."""
    told = {metric: report.to_dict() for metric, report in reports.items()}
    rows: list[dict[str, Any]] = list(told.values())
    figures: dict[str, Any] = {
        name: _mean([row[name] for row in rows]) for name, value in rows[0].items() if isinstance(value, float | None)
    }
    by_horizon = [
        {name: _mean([step[name] for step in steps]) for name in steps[0]}
        for steps in zip(*(row["by_horizon"] for row in rows), strict=True)
    ]
    left_out = {name: why for row in rows for name, why in row.pop("left_out").items()}
    return BacktestReport(
        series=max(row["series"] for row in rows),
        origins=rows[0]["origins"],
        weights=_mean_weights([row["weights"] for row in rows]),
        important_weights=_mean_weights([row["important_weights"] for row in rows]),
        by_horizon=by_horizon,
        left_out=left_out,
        by_metric=told,
        **figures,
    )


def _report(judged: list[Judged], left_out: dict[str, str]) -> BacktestReport:
    parts = [one.cells() for one in judged]
    figures: dict[str, Any] = {
        name: _mean([_mean(list(known_mean(part[name], axis=1))) for part in parts]) for name in parts[0]
    }
    rmsle = _mean([one.log_error() for one in judged])
    steps = {name: np.array([known_mean(part[name], axis=0) for part in parts]) for name in parts[0]}
    return BacktestReport(
        series=len(judged[0].history.ids),
        origins=len(judged),
        rmsle=None if np.isnan(rmsle) else rmsle,
        fit_s=round(_mean([one.fit_s for one in judged]), 2),
        forecast_ms_per_series=round(_mean([one.ms for one in judged]), 3),
        weights=judged[-1].weights,
        important_weights=judged[-1].important_weights,
        by_horizon=[
            {"horizon": h + 1} | {name: _mean(list(by_origin[:, h])) for name, by_origin in steps.items()}
            for h in range(judged[0].actual.shape[1])
        ],
        left_out=left_out,
        **figures,
    )


def _mean(values: list[Any]) -> float:
    known = [float(value) for value in values if value is not None and not np.isnan(value)]
    return sum(known) / len(known) if known else float("nan")


def _mean_weights(rows: list[dict[str, float]]) -> dict[str, float]:
    members = sorted({member for row in rows for member in row})
    return {member: _mean([row.get(member, 0.0) for row in rows]) for member in members}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and np.isnan(value) else value
