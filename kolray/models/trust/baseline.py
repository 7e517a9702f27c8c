"""The trivial alternative to the stack: the one feature that ranks the learning rows best, cut at one value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats, Labels


@dataclass(frozen=True)
class Stump:
    """A feature (column ``feature``), turned round where ``sign`` is -1, missing values as ``fill``.

    Rows whose value is at least ``cut`` are called fake: the cut with the highest accuracy on the learning rows, which
    may be one that calls all alike.
    """

    feature: int
    sign: float
    fill: float
    cut: float

    def rank(self, x: Floats) -> Floats:
        """Higher = more likely fake."""
        value = x[:, self.feature]
        return self.sign * np.where(np.isnan(value), self.fill, value)

    def fake(self, x: Floats) -> NDArray[np.bool_]:
        return self.rank(x) >= self.cut


def fit_stump(x: Floats, y: Labels) -> Stump:
    """Columns that are missing everywhere say nothing; without any feature the prevalence decides."""
    from sklearn.metrics import roc_auc_score

    fill = np.nanmedian(np.where(np.isnan(x).all(axis=0), 0.0, x), axis=0)
    known = np.where(np.isnan(x), fill, x)
    aucs = np.array([roc_auc_score(y, known[:, j]) for j in range(x.shape[1])])
    best = int(np.argmax(np.abs(aucs - 0.5)))
    sign = 1.0 if aucs[best] >= 0.5 else -1.0
    return Stump(best, sign, float(fill[best]), _best_cut(sign * known[:, best], y))


def _best_cut(rank: Floats, y: Labels) -> float:
    """The value from which on to say fake: right = fakes at or above it and real ones below."""
    values, first = np.unique(np.sort(rank), return_index=True)
    ordered = y[np.argsort(rank, kind="stable")]
    fakes_below = np.concatenate([[0], np.cumsum(ordered)])
    below = np.append(first, len(y))
    right = (fakes_below[-1] - fakes_below[below]) + (below - fakes_below[below])
    cuts = np.append(values, np.inf)
    return float(cuts[int(np.argmax(right))])
