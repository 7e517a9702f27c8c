"""Training of the success model: judged on the newest day, shipped as trained on everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats
from kolray.models.monitor import AtTraining
from kolray.models.splits import rolling_origins
from kolray.models.success.beside import Beside
from kolray.models.success.covariates import Covariates
from kolray.models.success.design import HOURLY
from kolray.models.success.forecaster import Forecaster, fit_forecasters
from kolray.models.success.members import DEFAULTS, MIN_HISTORY, Global
from kolray.models.success.model import SuccessModel
from kolray.models.success.prophet import Prophets, fit_of
from kolray.models.success.report import SuccessReport, judge, means, point_metrics
from kolray.models.success.series import METRICS, Panel, hourly_history, to_matrix

MIN_HOURS = 72


@dataclass(frozen=True)
class Untouched:
    """Series of a metric up to the origin, and the hours after it, which no part of the judged model saw."""

    history: Panel
    actual: Floats


@dataclass(frozen=True)
class TrainedSuccess:
    """A model, its report, and by metric what it was judged on; ``reference`` is what the night compares with.

    ``prophets``: what it was trained with; a batch has them too, so another model is judged with them.
    """

    model: SuccessModel
    report: SuccessReport
    untouched: Mapping[str, Untouched]
    reference: AtTraining | None = None
    prophets: Prophets | None = None

    @property
    def loss(self) -> float:
        """The report's, on the untouched hours: what a challenger is compared by."""
        return self.report.loss

    def loss_of(self, other: SuccessModel) -> float:
        """The same of another model; a metric that it does not forecast counts as by the seasonal naive.

        Hours that it was trained on flatter it: the comparison errs on the champion's side.
        """
        figures = {}
        for metric, own in self.untouched.items():
            if metric in other.metrics:
                made = other.forecasters[metric].forecast(own.history, own.actual.shape[1], fit_of(self.prophets))
                figures[metric] = point_metrics(own.actual, made.value, own.history)
        return self.report.loss_by(figures)


def train_success(
    kpi_hourly: pl.DataFrame,
    seed: int,
    params: dict[str, Any] | None = None,
    covariates: Covariates | None = None,
    prophets: Prophets | None = None,
) -> TrainedSuccess:
    """Fits and judges forecasters of all metrics in ``METRICS`` that the rows tell anything of. Exact per seed.

    Args:
        kpi_hourly: rows of ``gold.kpi_hourly``; the newest hour should be complete.
        params: over ``members.DEFAULTS``.
        covariates: what else is known of the KOLs; of the rows, each origin sees those that were known then.
        prophets: fits Prophet to each metric's important series.

    Raises:
        InvalidInputError: fewer than ``MIN_HOURS`` hours, or nothing but zeros.
    """
    own = {**DEFAULTS, **(params or {})}
    panels = metric_panels(kpi_hourly, covariates)
    n_hours = panels["engagement"].values.shape[1]
    before, untouched = _parted(panels)
    judged = fit_forecasters(before, HOURLY, own, seed, counts=True, prophets=prophets)
    found = {
        metric: judge(judged[metric].forecast(u.history, fit=fit_of(prophets)), u.history, u.actual)
        for metric, u in untouched.items()
    }
    report = SuccessReport(
        n_series=max(len(u.history.ids) for u in untouched.values()),
        n_hours=n_hours,
        origin=next(iter(untouched.values())).history.end.isoformat(),
        test=means(part["test"] for part in found.values()),
        baseline=means(part["baseline"] for part in found.values()),
        by_metric={metric: _of_metric(part, judged[metric]) for metric, part in found.items()},
        importance=_importance(next(iter(judged.values())).members),
        sample=next(iter(found.values()))["sample"],
        params=own,
    )
    told = {metric: panels[metric] for metric in untouched}
    shipped = fit_forecasters(told, HOURLY, own, seed, counts=True, prophets=prophets)
    return TrainedSuccess(SuccessModel(shipped), report, untouched, prophets=prophets)


def learnt_from(kpi_hourly: pl.DataFrame, covariates: Covariates | None) -> dict[str, Panel]:
    """The panels that a training learns from, by metric, without the hours that judge it; raises as it does."""
    return _parted(metric_panels(kpi_hourly, covariates))[0]


def judged_on(kpi_hourly: pl.DataFrame, covariates: Covariates | None) -> dict[str, Untouched]:
    """The newest day of each metric, and what came before it; raises as a training does."""
    return _parted(metric_panels(kpi_hourly, covariates))[1]


def _parted(panels: Mapping[str, Panel]) -> tuple[dict[str, Panel], dict[str, Untouched]]:
    """What comes before the newest day, and that day; metrics that told nothing before it are left out."""
    n_hours = panels["engagement"].values.shape[1]
    if n_hours < MIN_HOURS:
        raise InvalidInputError(
            f"training needs {MIN_HOURS} hours of gold.kpi_hourly: a day to learn from, one for intervals, one to"
            f" judge; there are {n_hours}. Let the stream run longer, then `kolray lake gold`."
        )
    [cut] = rolling_origins(n_hours, HOURLY.max_horizon, 1, MIN_HISTORY)
    untouched = {metric: _untouched(panel, cut) for metric, panel in panels.items()}
    untouched = {metric: found for metric, found in untouched.items() if found.history.ids}
    if not untouched:
        raise InvalidInputError("gold.kpi_hourly holds nothing but zeros: no metric can be forecast from it")
    return {metric: panels[metric].before(cut).told() for metric in untouched}, untouched


def metric_panels(kpi_hourly: pl.DataFrame, covariates: Covariates | None) -> dict[str, Panel]:
    """The series of each metric that are not 0 throughout, on one grid."""
    panels = {metric: to_matrix(hourly_history(kpi_hourly, metric)) for metric in METRICS}
    ids = panels["engagement"].ids
    beside = None if covariates is None else Beside.of(covariates, ids)
    return {metric: panel.measuring(metric, beside).told() for metric, panel in panels.items()}


def _untouched(panel: Panel, cut: int) -> Untouched:
    """Of the series that were there just before the origin and had told something."""
    there = panel.of(np.flatnonzero(~np.isnan(panel.values[:, cut - 1])))
    told = np.flatnonzero(np.nan_to_num(there.values[:, :cut]).any(axis=1))
    return Untouched(there.of(told).before(cut), there.values[told, cut:])


def _of_metric(found: dict[str, Any], judged: Forecaster) -> dict[str, Any]:
    kept = {name: found[name] for name in ("test", "baseline", "by_horizon")}
    important = judged.important.blend.weights if judged.important else {}
    return kept | {"weights": judged.blend.weights, "important_weights": important, "series": found["series"]}


def _importance(members: Global) -> dict[str, float]:
    names, gain = members.design.names, members.booster.feature_importance("gain")
    order = np.argsort(-gain, kind="stable")
    return {names[i]: float(gain[i] / max(gain.sum(), 1e-9)) for i in order if gain[i] > 0}
