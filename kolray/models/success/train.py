"""Training of the success model on rolling origins.

At a cut ``c`` a forecaster is trained on targets before ``c`` and forecasts from ``c``. Three are made: one at the last
day but one, whose errors on that day give the intervals; one at the last day, which is judged there (untouched); and
the one that ships, trained on everything, with the intervals of the judged one's errors on the newest day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats
from kolray.models.monitor import AtTraining
from kolray.models.splits import rolling_origins
from kolray.models.success.design import MAX_HORIZON, NAMES, WEEK, design
from kolray.models.success.intervals import Intervals, fit_intervals
from kolray.models.success.model import SuccessModel, predict
from kolray.models.success.report import SuccessReport, judge, point_metrics
from kolray.models.success.series import Hourly, hourly_history, to_matrix

DEFAULTS: dict[str, Any] = {
    "num_leaves": 31,
    "learning_rate": 0.08,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "rounds": 180,
    "rows": 160_000,
}
"""LightGBM's parameters, boosting ``rounds`` and the largest number of training ``rows``."""
MIN_HISTORY = 12
MIN_HOURS = 72
ORIGIN_STEP = 3


@dataclass(frozen=True)
class TrainedSuccess:
    """A model and its report; ``actual`` are the hours after ``history`` that no part of the judged model saw.

    ``reference`` is what the night compares with.
    """

    model: SuccessModel
    report: SuccessReport
    history: Hourly
    actual: Floats
    reference: AtTraining | None = None

    @property
    def loss(self) -> float:
        """MASE on the untouched hours: what a challenger is compared by."""
        return self.report.test["mase"]

    def loss_of(self, other: SuccessModel) -> float:
        """The same of another model. Hours it was trained on flatter it: the comparison errs on the champion's side."""
        return point_metrics(self.actual, np.expm1(other.predict(self.history)), self.history)["mase"]


def train_success(
    kpi_hourly: pl.DataFrame, seed: int, metric: str = "engagement", params: dict[str, Any] | None = None
) -> TrainedSuccess:
    """Fits and judges a forecaster of ``metric``. Exact per seed.

    Args:
        kpi_hourly: rows of ``gold.kpi_hourly``; the newest hour should be complete.
        params: over ``DEFAULTS``.

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
    early_cut, cut = rolling_origins(n_hours, MAX_HORIZON, 2, MIN_HISTORY)
    early = fit_booster(series.before(early_cut), own, seed)
    judged = fit_booster(series.before(cut), own, seed)
    shipped = fit_booster(series, own, seed)
    untouched = _known_at(series, cut)
    history, actual = untouched.before(cut), untouched.values[:, cut:]
    verdict = judge(predict(judged, history), _intervals(early, series, early_cut), history, actual)
    model = SuccessModel(shipped, _intervals(judged, series, cut), (metric,))
    report = SuccessReport(
        n_series=len(history.ids),
        n_hours=n_hours,
        origin=history.end.isoformat(),
        importance=_importance(judged),
        params=own,
        **verdict,
    )
    return TrainedSuccess(model, report, history, actual)


def fit_booster(series: Hourly, params: dict[str, Any], seed: int) -> Any:
    """A ``lightgbm.Booster`` for departures from the level, trained on targets within ``series``."""
    import lightgbm as lgb

    own = {**params}
    rounds, n_rows = int(own.pop("rounds")), int(own.pop("rows"))
    x, y = training_rows(series, n_rows, seed)
    own |= {"objective": "regression", "seed": seed, "deterministic": True, "force_row_wise": True, "verbose": -1}
    # One thread: on shared cores OpenMP's threads spin for each other (measured 1.8 s against 8.6 s with two).
    return lgb.train({**own, "num_threads": 1}, lgb.Dataset(x, y, feature_name=list(NAMES)), rounds)


def training_rows(series: Hourly, n_rows: int, seed: int) -> tuple[Floats, Floats]:
    """Rows of ``design`` and how their truths depart from the level; about ``n_rows`` at most.

    Origins are ``ORIGIN_STEP`` hours apart, each with a random part of the KOLs.
    """
    rng = np.random.default_rng(seed)
    n_hours = series.values.shape[1]
    origins = range(n_hours - 1, MIN_HISTORY - 1, -ORIGIN_STEP)
    per_origin = max(n_rows // (len(origins) * MAX_HORIZON), 1)
    xs, ys = [], []
    for origin in origins:
        horizons = np.arange(1, min(MAX_HORIZON, n_hours - origin) + 1)
        known = np.flatnonzero(~np.isnan(series.values[:, origin - 1]))
        mine = series.of(np.sort(rng.permutation(known)[:per_origin]))
        rows, level = design(mine.before(origin), horizons)
        xs.append(rows)
        ys.append(np.log1p(mine.values[:, origin : origin + len(horizons)]).ravel() - level)
    x = np.concatenate(xs)
    if n_hours < 2 * WEEK:  # a weekday seen once is only a date
        x[:, NAMES.index("weekday")] = 0.0
    return x, np.concatenate(ys)


def _known_at(series: Hourly, cut: int) -> Hourly:
    """KOLs that had appeared before hour ``cut``."""
    return series.of(np.flatnonzero(~np.isnan(series.values[:, cut - 1])))


def _intervals(booster: Any, series: Hourly, cut: int) -> Intervals:
    """Of the errors of forecasts from ``cut`` by a booster trained before it."""
    known = _known_at(series, cut)
    predicted = predict(booster, known.before(cut))
    actual = np.log1p(known.values[:, cut : cut + MAX_HORIZON])
    horizons = np.tile(np.arange(1, MAX_HORIZON + 1), len(known.ids))
    return fit_intervals(predicted.ravel(), actual.ravel(), horizons)


def _importance(booster: Any) -> dict[str, float]:
    gain = booster.feature_importance("gain")
    order = np.argsort(-gain, kind="stable")
    return {NAMES[i]: float(gain[i] / max(gain.sum(), 1e-9)) for i in order if gain[i] > 0}
