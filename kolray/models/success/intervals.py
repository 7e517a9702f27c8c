"""Conformal intervals: the errors of forecasts that were not trained on, by horizon and restlessness of the series.

Reference: Lei et al., Distribution-Free Predictive Inference for Regression, JASA 2018 (split conformal), applied
within groups of horizon and of how much a series departs from its own last season, which also says how small counts
scatter. Series too young for that are a group of their own, and their intervals are wider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats
from kolray.models.success.design import deviation, lagged
from kolray.models.success.series import Panel

STRATA = 5
MIN_ERRORS = 40
"""Forecasts a stratum; with fewer there are fewer strata. A cell with fewer errors borrows those of all horizons in its
stratum, and a stratum those of the most restless one."""


@dataclass(frozen=True)
class Intervals:
    """``edges`` part restlessness; ``lower`` and ``upper`` (strata and one of the young, horizons) are added."""

    alpha: float
    edges: Floats
    lower: Floats
    upper: Floats

    def bounds(self, predicted: Floats, restless: Floats) -> tuple[Floats, Floats]:
        """Lower and upper of forecasts (series, horizons) on the model's scale; the forecast is between them."""
        row, horizon = self.strata(restless), predicted.shape[1]
        return predicted + self.lower[row, :horizon], predicted + self.upper[row, :horizon]

    def strata(self, restless: Floats) -> np.ndarray:
        """The row of each series; the last is of the young."""
        return np.where(np.isnan(restless), len(self.edges) + 1, np.searchsorted(self.edges, restless))


def restlessness(scaled: Panel, season: int) -> Floats:
    """Standard deviation of the change from season to season over the newest seven seasons; NaN below two seasons."""
    move = lagged(scaled.values[:, -8 * season :], season)
    enough = (~np.isnan(move)).sum(axis=1) >= season
    return np.where(enough, deviation(move, axis=1), np.nan)


def fit_intervals(errors: Floats, restless: Floats, alpha: float = 0.1) -> Intervals:
    """From truth less forecast (series, horizons; NaN: not known) of a fold that no part of the model saw."""
    told = restless[~np.isnan(restless) & np.isfinite(errors).any(axis=1)]
    strata = int(np.clip(len(told) // MIN_ERRORS, 1, STRATA))
    edges = np.quantile(told, np.linspace(0, 1, strata + 1)[1:-1]) if len(told) else np.zeros(0)
    intervals = Intervals(alpha, edges, *np.zeros((2, strata + 1, errors.shape[1])))
    row = intervals.strata(restless)
    for stratum in range(strata + 1):
        own = errors[row == stratum]
        if np.isfinite(own).sum() < MIN_ERRORS:
            own = errors[row == strata - 1] if np.isfinite(errors[row == strata - 1]).sum() >= MIN_ERRORS else errors
        many = int(np.isfinite(own).any(axis=1).sum())
        for h in range(errors.shape[1]):
            cell = own[:, h][np.isfinite(own[:, h])]
            pool = cell if len(cell) >= MIN_ERRORS else own[np.isfinite(own)]
            intervals.lower[stratum, h], intervals.upper[stratum, h] = outer_quantiles(pool, alpha, many)
    np.minimum(intervals.lower, 0.0, out=intervals.lower)
    np.maximum(intervals.upper, 0.0, out=intervals.upper)
    return intervals


def outer_quantiles(errors: Floats, alpha: float, many: int | None = None) -> tuple[float, float]:
    """The outer order statistics that cover ``1 - alpha``, corrected for how few forecasts they are of.

    Errors of one forecast go together: a hundred of five forecasts are evidence of five (``many``; none: each of one).
    """
    ordered = np.sort(errors)
    n = len(ordered)
    if not n:
        return 0.0, 0.0
    many = many or n
    beyond = int(max((many + 1) * alpha / 2 - 1, 0.0) / many * n)
    return float(ordered[beyond]), float(ordered[n - 1 - beyond])
