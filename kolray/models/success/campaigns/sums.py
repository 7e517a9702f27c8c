"""Intervals for sums of counts: a Gamma law as wide as past forecasts were wrong, at the levels that held there.

The law is not believed: the place of what came in it (its probability integral transform) is collected over past
forecasts with as much known and as many hours added up, and the outer quantiles of those places are the levels of the
interval. So it covers whatever the law leaves out, and is never negative.

Reference: Chernozhukov, Wüthrich & Zhu, Distributional Conformal Prediction, PNAS 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats
from kolray.models.success.campaigns.cases import Cases
from kolray.models.success.intervals import outer_quantiles

Chosen = NDArray[np.bool_]
HOUR_EDGES, KNOWN_EDGES = np.array([2, 7, 25, 73]), np.array([1, 6, 24])
"""Hours added up, and hours known, that part the past forecasts."""
ALPHA = 0.1
MIN_CASES = 60
"""A cell with fewer past forecasts takes those of as many hours, whatever was known, or of the next fewer hours."""
MOST = 1.0 - 1e-9
TINY = 1e-9


@dataclass(frozen=True)
class SumIntervals:
    """Variance of a sum around its mean m: ``each * m + (common + others * doubt) * m²``. ``lower`` and ``upper``
    (hours known, hours added up) are levels of the Gamma law.
    """

    each: float
    common: float
    others: float
    lower: Floats
    upper: Floats

    def bounds(self, mean: Floats, doubt: Floats, cases: Cases) -> tuple[Floats, Floats]:
        """Lower and upper of sums with these means; ``doubt``: the part that rests on other campaigns."""
        from scipy.stats import gamma

        shape, scale = self._law(mean, doubt)
        cell = _cells(cases)
        return gamma.ppf(self.lower[cell], shape, scale=scale), gamma.ppf(self.upper[cell], shape, scale=scale)

    def places(self, actual: Floats, mean: Floats, doubt: Floats) -> Floats:
        """Where in the law each sum came to lie, 0-1."""
        from scipy.stats import gamma

        shape, scale = self._law(mean, doubt)
        return np.minimum(gamma.cdf(actual, shape, scale=scale), MOST)

    def _law(self, mean: Floats, doubt: Floats) -> tuple[Floats, Floats]:
        m = np.maximum(mean, TINY)
        variance = np.maximum(self.each * m + (self.common + self.others * doubt) * m**2, TINY * m)
        return m**2 / variance, variance / m


def fit_intervals(actual: Floats, mean: Floats, doubt: Floats, cases: Cases) -> SumIntervals:
    """From past forecasts that were made without the campaign they are of."""
    from scipy.optimize import nnls

    m = np.maximum(mean, TINY)
    missed = ((actual - m) / m) ** 2
    # A few forecasts that were wholly wrong must not make all wide, nor those of next to nothing.
    missed, weight = np.minimum(missed, np.quantile(missed, 0.99)), m / (1.0 + m)
    table = np.column_stack([1.0 / m, np.ones(len(m)), doubt])
    (each, common, others), _ = nnls(table * weight[:, None], missed * weight)
    shape = (len(KNOWN_EDGES) + 1, len(HOUR_EDGES) + 1)
    found = SumIntervals(each, common, others, np.zeros(shape), np.ones(shape))
    place, (known, added) = found.places(actual, mean, doubt), _cells(cases)
    for row in range(shape[0]):
        for column in range(shape[1]):
            pool = _pool(known == row, [added == back for back in range(column, -1, -1)])
            found.lower[row, column], found.upper[row, column] = outer_quantiles(place[pool], ALPHA)
    return found


def _pool(known: Chosen, added: list[Chosen]) -> Chosen:
    """Past forecasts of a cell; ``added``: those of as many hours, then of fewer and fewer."""
    pools = [known & added[0], *added]
    return next((pool for pool in pools if pool.sum() >= MIN_CASES), np.ones(len(known), bool))


def _cells(cases: Cases) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.searchsorted(KNOWN_EDGES, cases.known_h, side="right"),
        np.searchsorted(HOUR_EDGES, cases.hours, side="right"),
    )
