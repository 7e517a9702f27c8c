"""How much each member counts: a ridge regression with weights >= 0 on forecasts that no member was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats
from kolray.models.success.members import SIMPLE

RIDGE, RIDGE_OF_FEW = 0.01, 5.0
"""Pull of the weights towards what is trusted without evidence, as a part of the mean square of what is weighed; the
second is divided by how many forecasts (a series at an origin) there are, and added."""
FEW = 20
"""With so many forecasts the first member is trusted half without evidence, the simple ones for the rest."""
MIN_WEIGHT = 0.03
"""A member below it is not worth running."""


@dataclass(frozen=True)
class Blend:
    """``weights`` by member; they are not negative and sum to 1."""

    weights: dict[str, float]

    def of(self, forecasts: Mapping[str, Floats]) -> Floats:
        """The weighted mean; where a member says nothing (NaN), of those that do; 0 where none does."""
        total = np.zeros(next(iter(forecasts.values())).shape)
        weight = np.zeros(total.shape)
        for name, own in self.weights.items():
            told = ~np.isnan(forecasts[name])
            total += np.where(told, forecasts[name], 0.0) * own
            weight += told * own
        return total / np.where(weight > 0, weight, 1.0)


def fit_blend(forecasts: Mapping[str, Floats], actual: Floats) -> Blend:
    """Weights of members from arrays (forecasts, horizons).

    Without evidence the first is trusted, and with few forecasts rather the ``SIMPLE`` ones, equally. Where a member
    says nothing or the truth is not known, a point does not count.
    """
    from scipy.optimize import nnls

    names = [name for name, made in forecasts.items() if not np.isnan(made).all()] or list(forecasts)[:1]
    table = np.stack([forecasts[name].ravel() for name in names], axis=1)
    truth = actual.ravel()
    known = ~np.isnan(truth) & ~np.isnan(table).any(axis=1)
    if not known.any():
        return Blend({names[0]: 1.0})
    many = int(known.reshape(actual.shape).any(axis=1).sum())
    calm = np.array([name in SIMPLE for name in names], dtype=float)
    calm = calm if calm.any() else np.eye(len(names))[0]
    trusted = calm / calm.sum() * FEW / (many + FEW)
    trusted[0] += many / (many + FEW)
    # What is weighed is each member's departure from the first: where all agree nothing can be learnt.
    centred, rest = table[known] - table[known][:, :1], truth[known] - table[known][:, 0]
    pull = np.sqrt((RIDGE + RIDGE_OF_FEW / many) * np.mean(rest**2) + 1e-12)
    square = centred.T @ centred / known.sum() + pull**2 * np.eye(len(names))
    side = centred.T @ rest / known.sum() + pull**2 * trusted
    root = np.linalg.cholesky(square)
    weights, _ = nnls(root.T, np.linalg.solve(root, side))
    weights[0] = max(1.0 - weights[1:].sum(), 0.0)
    kept = np.where(weights / weights.sum() >= MIN_WEIGHT, weights, 0.0)
    kept = kept if kept.any() else trusted
    return Blend({name: float(w) for name, w in zip(names, kept / kept.sum(), strict=True) if w > 0})
