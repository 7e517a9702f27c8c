"""A member whose log-odds are a sum of one curve a feature: robust on small tables, and plain to explain.

Each feature is taken as ``sign(x) log(1 + |x|)``, its curve is linear between knots at quantiles and flat beyond them,
and a missing value has a height of its own. The heights are a ridge-penalised logistic regression (a generalised
additive model: Hastie and Tibshirani 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats, Labels
from kolray.models.splits import Rows
from kolray.models.trust.curves import EPS, KNOTS, effects, hats, moved_curve_sums

RIDGE_C = 0.03
"""Inverse strength of the ridge on standardised columns."""
MAX_ROWS = 20_000
"""More rows than this hardly move curves of so few knots; a sample keeps the fit in seconds and megabytes."""


@dataclass(frozen=True)
class Additive:
    """Curves of one fit a fold.

    Attributes:
        columns: the features it looks at, by their place in the matrix.
        knots: (columns, knots), ascending, on the log scale; a feature of fewer values repeats its last one.
        heights: (folds, columns, knots); on average a feature adds 0 to the rows it was learnt from.
        missing: (folds, columns): what a missing value adds.
        intercept: (folds,).
    """

    columns: NDArray[np.int64]
    knots: Floats
    heights: Floats
    missing: Floats
    intercept: Floats

    def scores(self, x: Floats) -> Floats:
        """Log-odds: (rows, folds)."""
        return self._effects(x).sum(axis=2).T + self.intercept

    def moved(self, row: Floats, columns: NDArray[np.int64], to: Floats) -> Floats:
        """``scores`` of copies of a row (features,) that differ from it in one column each: ``to`` in ``columns``."""
        own, out = self._effects(row[None])[:, 0], np.empty((len(self.heights), len(to)))
        mine = np.full(len(row), -1)
        mine[self.columns] = np.arange(len(self.columns))
        moved_curve_sums(_log_scale(to), mine[columns], self.knots, self.heights, own, out)
        return out.T + self.intercept

    def contributions(self, x: Floats) -> Floats:
        """Mean over the folds of what each feature adds, and the base in the last column: (rows, features + 1)."""
        out = np.zeros((len(x), x.shape[1] + 1))
        for fold in self._effects(x):
            out[:, self.columns] += fold / len(self.heights)
        out[:, -1] = self.intercept.mean()
        return out

    def _effects(self, x: Floats) -> Floats:
        """What each column adds, by fold: (folds, rows, columns)."""
        z = _log_scale(x[:, self.columns])
        out = np.empty((len(self.heights), *z.shape))
        effects(z, self.knots, self.heights, self.missing, out)
        return out


def fit_additive(x: Floats, y: Labels, folds: Rows, columns: NDArray[np.int64], seed: int) -> Additive:
    """One fit without each fold; the knots are common to all, as they need no labels."""
    z = _log_scale(x[:, columns])
    knots = _knots(z)
    rng = np.random.default_rng(seed)
    parts = []
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds != fold)
        rows = rows if len(rows) <= MAX_ROWS else np.sort(rng.choice(rows, MAX_ROWS, replace=False))
        parts.append(_heights(_design(z[rows], knots), y[rows], knots.shape))
    heights, missing, intercept = (np.stack(values) for values in zip(*parts, strict=True))
    return Additive(columns, knots, heights, missing, intercept)


def _log_scale(x: Floats) -> Floats:
    return np.sign(x) * np.log1p(np.abs(x))


def _knots(z: Floats) -> Floats:
    knots = np.zeros((z.shape[1], KNOTS))
    for j, column in enumerate(z.T):
        known = column[~np.isnan(column)]
        if len(known):
            own = np.unique(np.quantile(known, np.linspace(0.0, 1.0, KNOTS)))
            if len(own) < KNOTS:  # few values: each its own knot, as far as there is room
                own = np.unique(known)[:KNOTS] if len(np.unique(known)) <= KNOTS else own
            knots[j] = np.concatenate([own, np.repeat(own[-1], KNOTS - len(own))])
    return knots


def _design(z: Floats, knots: Floats) -> Floats:
    """Columns of the regression: a hat a knot, then one that marks missing values: (rows, columns * (knots + 1))."""
    design = np.zeros((*z.shape, KNOTS + 1))
    hats(z, knots, design)
    return design.reshape(len(z), -1)


def _heights(design: Floats, y: Labels, shape: tuple[int, ...]) -> tuple[Floats, Floats, float]:
    from sklearn.linear_model import LogisticRegression

    mean, scale = design.mean(axis=0), design.std(axis=0)
    varies = scale > EPS
    if not varies.any():  # all are constant or missing: as likely as any row
        odds = (y.sum() + 1.0) / (len(y) - y.sum() + 1.0)
        return np.zeros(shape), np.zeros(shape[0]), float(np.log(odds))
    fitted = LogisticRegression(C=RIDGE_C, max_iter=200, tol=1e-3).fit((design - mean)[:, varies] / scale[varies], y)
    weights = np.zeros(design.shape[1])
    weights[varies] = fitted.coef_[0] / scale[varies]
    by_column = weights.reshape(shape[0], KNOTS + 1)
    typical = (weights * mean).reshape(shape[0], KNOTS + 1).sum(axis=1)
    heights, missing = by_column[:, :KNOTS] - typical[:, None], by_column[:, KNOTS] - typical
    return heights, missing, float(fitted.intercept_[0])
