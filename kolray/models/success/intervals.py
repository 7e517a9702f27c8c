"""Conformal intervals: the errors of forecasts that were not trained on, by horizon and level.

Reference: Lei et al., Distribution-Free Predictive Inference for Regression, JASA 2018 (split conformal), applied
within groups of horizon and predicted level, since small counts scatter more on a log scale than large ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats

LEVELS = 5
MIN_ERRORS = 40
"""A cell with fewer errors borrows those of all horizons at its level."""


@dataclass(frozen=True)
class Intervals:
    """``edges`` part predicted log1p levels; ``lower`` and ``upper`` (levels, horizons) are added to the prediction."""

    alpha: float
    edges: Floats
    lower: Floats
    upper: Floats

    def bounds(self, predicted: Floats, horizons: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Lower and upper log1p of forecasts of these horizons (1 …); the prediction is always between them."""
        level = np.searchsorted(self.edges, predicted)
        return predicted + self.lower[level, horizons - 1], predicted + self.upper[level, horizons - 1]


def fit_intervals(predicted: Floats, actual: Floats, horizons: NDArray[np.int64], alpha: float = 0.1) -> Intervals:
    """From log1p forecasts and truths of a fold that the forecaster was not trained on (all three of one length)."""
    edges = np.quantile(predicted, np.linspace(0, 1, LEVELS + 1)[1:-1])
    level = np.searchsorted(edges, predicted)
    errors = actual - predicted
    n_horizons = int(horizons.max())
    lower, upper = np.zeros((LEVELS, n_horizons)), np.zeros((LEVELS, n_horizons))
    for row in range(LEVELS):
        mine = level == row
        for h in range(n_horizons):
            cell = errors[mine & (horizons == h + 1)]
            pool = cell if len(cell) >= MIN_ERRORS else errors[mine] if mine.sum() >= MIN_ERRORS else errors
            lower[row, h], upper[row, h] = _quantiles(pool, alpha)
    return Intervals(alpha, edges, np.minimum(lower, 0.0), np.maximum(upper, 0.0))


def _quantiles(errors: Floats, alpha: float) -> tuple[float, float]:
    """The outer order statistics that cover ``1 - alpha`` with the finite-sample correction."""
    ordered = np.sort(errors)
    n = len(ordered)
    beyond = max(int(np.floor((n + 1) * alpha / 2)) - 1, 0)
    return float(ordered[beyond]), float(ordered[n - 1 - beyond])
