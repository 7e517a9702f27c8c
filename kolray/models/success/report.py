"""The report on a success model: the untouched last hours, forecast from before them, beside the seasonal naive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kolray.models.metrics import Floats, coverage, known_mean, mase, smape
from kolray.models.success.forecaster import Forecast
from kolray.models.success.members import seasonal_naive
from kolray.models.success.series import Panel

SEASON = 24


@dataclass(frozen=True)
class SuccessReport:
    """``test``: ``smape`` (0-200 %), ``mase``, ``rmsle``, ``coverage_90``, means over the metrics that are forecast.

    ``baseline``: the same of the seasonal naive (the value 24 hours before). ``by_metric``: of each metric ``test`` and
    ``baseline``, ``by_horizon`` (both, hour by hour), ``weights`` (what each member earned) and ``series`` (how many).
    ``sample``: truth and forecast of a few KOLs in the first metric, for the plot; ``rank`` is theirs by volume, as no
    id belongs into a report, which outlives an erasure.
    """

    n_series: int
    n_hours: int
    origin: str
    test: dict[str, float]
    baseline: dict[str, float]
    importance: dict[str, float]
    by_metric: dict[str, dict[str, Any]] = field(default_factory=dict)
    sample: list[dict[str, Any]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """Mean over metrics of their MASE as a part of the seasonal naive's: below 1 is better than it.

        Rare counts, whose MASE is large by chance, would decide a mean of MASEs alone. Not by sMAPE, which counts any
        forecast but 0 as wholly wrong in a silent hour.
        """
        return self.loss_by({metric: own["test"] for metric, own in self.by_metric.items()})

    def loss_by(self, figures: Mapping[str, dict[str, float]]) -> float:
        """The same of another's figures by metric, on the same hours; 1 of a metric that they lack."""
        baselines = {metric: own["baseline"] for metric, own in self.by_metric.items()}
        parts = [
            figures.get(metric, naive)["mase"] / naive["mase"] if naive["mase"] > 0 else np.nan
            for metric, naive in baselines.items()
        ]
        return float(known_mean(np.array(parts), axis=0))

    @property
    def beats_baseline(self) -> bool:
        """Whether it is worth more than yesterday's values."""
        return self.loss < 1.0

    def metrics(self) -> dict[str, float]:
        """The figures of the untouched hours and, prefixed ``baseline_``, those of the seasonal naive.

        Means, then those of each metric under its name (``clicks_mase``).
        """
        figures = _beside_baseline(self.test, self.baseline)
        for metric, own in self.by_metric.items():
            of_metric = _beside_baseline(own["test"], own["baseline"])
            figures |= {f"{metric}_{name}": value for name, value in of_metric.items()}
        return figures

    def curves(self) -> dict[str, list[float]]:
        """Each metric's figures hour by hour, as ``clicks_smape_by_hour``."""
        return {
            f"{metric}_{name}_by_hour": [float(row[name]) for row in own["by_horizon"]]
            for metric, own in self.by_metric.items()
            for name in own["by_horizon"][0]
            if name != "horizon"
        }

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "beats_baseline": self.beats_baseline}


def _beside_baseline(test: dict[str, float], baseline: dict[str, float]) -> dict[str, float]:
    figures = test | {f"baseline_{name}": value for name, value in baseline.items()}
    return {name: value for name, value in figures.items() if not np.isnan(value)}


def means(of: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure over metrics; NaN where none has it."""
    rows = list(of)
    return {name: float(known_mean(np.array([row[name] for row in rows]), axis=0)) for name in rows[0]}


def point_metrics(actual: Floats, forecast: Floats, history: Panel) -> dict[str, float]:
    """``smape, mase, rmsle`` of forecasts (KOLs, hours)."""
    return {
        "smape": smape(actual, forecast),
        "mase": mase(actual, forecast, np.nan_to_num(history.values), SEASON),
        "rmsle": float(np.sqrt(np.mean((np.log1p(actual) - np.log1p(forecast)) ** 2))),
    }


def judge(made: Forecast, history: Panel, actual: Floats) -> dict[str, Any]:
    """``test``, ``baseline``, ``by_horizon`` and ``sample`` of forecasts made at the end of ``history``."""
    horizon = actual.shape[1]
    forecast, lower, upper = made
    naive = np.nan_to_num(seasonal_naive(history.values, horizon, SEASON))
    test = point_metrics(actual, forecast, history)
    by_horizon = [
        {
            "horizon": h + 1,
            "smape": smape(actual[:, h], forecast[:, h]),
            "baseline_smape": smape(actual[:, h], naive[:, h]),
            "coverage_90": coverage(actual[:, h], lower[:, h], upper[:, h]),
        }
        for h in range(horizon)
    ]
    places = sample_places(len(actual))
    largest = np.argsort(-np.nansum(history.values, axis=1), kind="stable")[places]
    shown = {"actual": actual, "forecast": forecast, "lower": lower, "upper": upper}
    return {
        "series": len(actual),
        "test": test | {"coverage_90": coverage(actual, lower, upper), "width_90": float(np.median(upper - lower))},
        "baseline": point_metrics(actual, naive, history),
        "by_horizon": by_horizon,
        "sample": [
            {"rank": place + 1, **{name: v[i].round(2).tolist() for name, v in shown.items()}}
            for place, i in zip(places, largest, strict=True)
        ],
    }


def sample_places(n_series: int) -> list[int]:
    """Which of the KOLs by volume, the largest first (0), a report shows."""
    return [0, n_series // 4, n_series // 2]
