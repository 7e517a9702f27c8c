"""Training of the success model: judged on the newest day, shipped as trained on everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats
from kolray.models.monitor import AtTraining
from kolray.models.splits import rolling_origins
from kolray.models.success.design import HOURLY
from kolray.models.success.forecaster import fit_forecaster
from kolray.models.success.members import DEFAULTS, MIN_HISTORY, Global
from kolray.models.success.model import SuccessModel
from kolray.models.success.report import SuccessReport, judge, point_metrics
from kolray.models.success.series import Panel, hourly_history, to_matrix

MIN_HOURS = 72


@dataclass(frozen=True)
class TrainedSuccess:
    """A model and its report; ``actual`` are the hours after ``history`` that no part of the judged model saw.

    ``reference`` is what the night compares with.
    """

    model: SuccessModel
    report: SuccessReport
    history: Panel
    actual: Floats
    reference: AtTraining | None = None

    @property
    def loss(self) -> float:
        """MASE on the untouched hours: what a challenger is compared by."""
        return self.report.test["mase"]

    def loss_of(self, other: SuccessModel) -> float:
        """The same of another model. Hours it was trained on flatter it: the comparison errs on the champion's side."""
        forecast = other.forecaster.forecast(self.history, self.actual.shape[1]).value
        return point_metrics(self.actual, forecast, self.history)["mase"]


def train_success(
    kpi_hourly: pl.DataFrame, seed: int, metric: str = "engagement", params: dict[str, Any] | None = None
) -> TrainedSuccess:
    """Fits and judges a forecaster of ``metric``. Exact per seed.

    Args:
        kpi_hourly: rows of ``gold.kpi_hourly``; the newest hour should be complete.
        params: over ``members.DEFAULTS``.

    Raises:
        InvalidInputError: fewer than ``MIN_HOURS`` hours.
    """
    own = {**DEFAULTS, **(params or {})}
    series = to_matrix(hourly_history(kpi_hourly, metric))
    n_hours = series.values.shape[1]
    if n_hours < MIN_HOURS:
        raise InvalidInputError(
            f"training needs {MIN_HOURS} hours of gold.kpi_hourly: a day to learn from, one for intervals, one to"
            f" judge; there are {n_hours}. Let the stream run longer, then `kolray lake gold`."
        )
    [cut] = rolling_origins(n_hours, HOURLY.max_horizon, 1, MIN_HISTORY)
    untouched = series.of(np.flatnonzero(~np.isnan(series.values[:, cut - 1])))
    history, actual = untouched.before(cut), untouched.values[:, cut:]
    judged = fit_forecaster(series.before(cut), HOURLY, own, seed, counts=True)
    report = SuccessReport(
        n_series=len(history.ids),
        n_hours=n_hours,
        origin=history.end.isoformat(),
        weights=judged.blend.weights,
        importance=_importance(judged.members),
        params=own,
        **judge(judged.forecast(history), history, actual),
    )
    shipped = fit_forecaster(series, HOURLY, own, seed, counts=True)
    return TrainedSuccess(SuccessModel(shipped, (metric,)), report, history, actual)


def _importance(members: Global) -> dict[str, float]:
    names, gain = members.design.names, members.booster.feature_importance("gain")
    order = np.argsort(-gain, kind="stable")
    return {names[i]: float(gain[i] / max(gain.sum(), 1e-9)) for i in order if gain[i] > 0}
