"""How large a part of the followers is no real audience: a share with a 95 % interval.

Quantile boosters (2.5, 50 and 97.5 %) on a variance-stabilising scale, widened by conformal prediction so that the
interval covers 95 % of accounts like those it was fitted on (Romano, Patterson and Candès, Conformalized Quantile
Regression, 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kolray.models.metrics import Floats, coverage
from kolray.models.splits import Rows
from kolray.models.trust.members import Boosters

QUANTILES = (0.025, 0.5, 0.975)
COVER = 0.95
PARAMS: dict[str, Any] = {
    "objective": "reg:quantileerror",
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "min_child_weight": 10.0,
    "nthread": 1,
}
ROUNDS = 120
PARTED_AT = (0.5, 0.75, 0.9)
"""Quantiles of the middle prediction: without parts, intervals cover the many honest accounts more than the others."""
MIN_PARTED = 400
MIN_ROWS = 200
"""With fewer accounts whose share is known there is nothing to learn an interval from."""


@dataclass(frozen=True)
class FakeShare:
    """The boosters (folds one after the other, ``QUANTILES`` each) and by how much their bounds are moved apart.

    How much depends on how large a share is predicted: ``edges`` part the middle predictions, and ``widen`` holds one
    move more than there are edges. Both are on the scale arcsin(sqrt(share)); a move is negative where the boosters are
    too careful.
    """

    boosters: Boosters
    edges: Floats
    widen: Floats

    def predict(self, x: Floats) -> Floats:
        """Columns share, lower and upper, in 0-1; lower <= share <= upper."""
        folds = self.boosters.scores(x).reshape(len(x), -1, len(QUANTILES))
        ordered = np.sort(folds.mean(axis=1), axis=1)
        low, middle, high = _bounds(ordered, self.widen[np.searchsorted(self.edges, ordered[:, 1])]).T
        return np.stack([_share(middle), _share(low), _share(high)], axis=1)


def fit_fake_share(
    x: Floats, share: Floats, folds: Rows, seed: int, own: tuple[Floats, Floats] | None = None
) -> FakeShare | None:
    """Exact per seed.

    Args:
        share: 0-1; NaN where nobody counted. None is returned when fewer than ``MIN_ROWS`` are known.
        folds: boosters are fitted once without each, and the interval is widened by what each says of its fold.
        own: rows (features, share) that the boosters do not see, to widen the interval by instead.
    """
    known = ~np.isnan(share)
    if known.sum() < MIN_ROWS:
        return None
    x, target, folds = x[known], _scale(share[known]), folds[known]
    boosters: list[Any] = []
    unseen = np.empty((len(x), len(QUANTILES)))
    for fold in np.unique(folds):
        mine = folds == fold
        fitted = [_quantile(x[~mine], target[~mine], q, seed + int(fold)) for q in QUANTILES]
        unseen[mine] = Boosters.of(fitted).scores(x[mine])
        boosters += fitted
    head = Boosters.of(boosters)
    if own is not None and (~np.isnan(own[1])).sum() >= MIN_ROWS:
        rows = ~np.isnan(own[1])
        folds_of_own = head.scores(own[0][rows]).reshape(int(rows.sum()), -1, len(QUANTILES))
        unseen, target = folds_of_own.mean(axis=1), _scale(own[1][rows])
    unseen = np.sort(unseen, axis=1)
    edges = np.quantile(unseen[:, 1], PARTED_AT if len(unseen) >= MIN_PARTED else [])
    part = np.searchsorted(edges, unseen[:, 1])
    widen = [_widen(unseen[part == k], target[part == k]) for k in range(len(edges) + 1)]
    return FakeShare(head, edges, np.array(widen))


def judge_fake_share(predicted: Floats, share: Floats) -> dict[str, float]:
    """``coverage`` of the interval, its mean ``width``, the share's mean absolute error ``mae``; ``n`` rows."""
    known = ~np.isnan(share)
    told, true = predicted[known], share[known]
    return {
        "coverage": coverage(true, told[:, 1], told[:, 2]),
        "width": float((told[:, 2] - told[:, 1]).mean()),
        "mae": float(np.abs(told[:, 0] - true).mean()),
        "n": len(true),
    }


def _quantile(x: Floats, target: Floats, quantile: float, seed: int) -> Any:
    import xgboost as xgb

    return xgb.train(PARAMS | {"quantile_alpha": quantile, "seed": seed}, xgb.DMatrix(x, target), ROUNDS)


def _bounds(ordered: Floats, widen: Floats) -> Floats:
    """Lower, middle and upper, the outer ones moved apart, none beyond the scale."""
    low = np.minimum(ordered[:, 0] - widen, ordered[:, 1])
    high = np.maximum(ordered[:, 2] + widen, ordered[:, 1])
    return np.clip(np.stack([low, ordered[:, 1], high], axis=1), 0.0, np.pi / 2)


def _widen(ordered: Floats, target: Floats) -> float:
    """The smallest move that covers ``COVER`` of accounts not seen, with the correction for a finite sample."""
    if not len(ordered):
        return 0.0
    beyond = np.sort(np.maximum(ordered[:, 0] - target, target - ordered[:, 2]))
    rank = min(len(beyond), int(np.ceil(COVER * (len(beyond) + 1))))
    return float(beyond[rank - 1])


def _scale(share: Floats) -> Floats:
    return np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0)))


def _share(scaled: Floats) -> Floats:
    return np.sin(scaled) ** 2
