"""The members of the trust stack: each turns a feature matrix (NaN = missing) into scores, higher = riskier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats, Labels
from kolray.models.trust.trees import Nodes, Trees, booster_trees, joined

BOOSTER_DEFAULTS: dict[str, Any] = {
    "max_depth": 4,
    "eta": 0.08,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "min_child_weight": 3.0,
    "lambda": 2.0,
    "rounds": 160,
}


class Member(Protocol):
    """A part of the stack. ``scores`` are of each fold, (rows, folds), or one column where it saw no labels.

    ``moved``: ``scores`` of copies of one row (features,) that differ from it in one column each, which are known (not
    NaN) and stand together by column: to the bit, and much faster. ``contributions``: what each feature adds to the
    mean over the folds, and the base in the last column.
    """

    def scores(self, x: Floats) -> Floats: ...

    def moved(self, row: Floats, columns: NDArray[np.int64], to: Floats) -> Floats: ...

    def contributions(self, x: Floats) -> Floats: ...


BoosterFit = Callable[[Floats, Labels, dict[str, Any], int, list[str]], Any]
"""What ``fit_booster`` is: (x, y, params, seed, names) → an ``xgboost.Booster``."""
FOREST_TREES = 100
FOREST_SAMPLES = 256
_EULER = 0.5772156649


def fit_booster(x: Floats, y: Labels, params: dict[str, Any], seed: int, names: list[str]) -> Any:
    """An ``xgboost.Booster`` with logistic objective; ``params`` as ``BOOSTER_DEFAULTS``."""
    import xgboost as xgb

    own, rounds = booster_params(params, seed)
    return xgb.train(own, xgb.DMatrix(x, y, feature_names=names), rounds)


def booster_params(params: dict[str, Any], seed: int) -> tuple[dict[str, Any], int]:
    """XGBoost's own parameters of ``params`` over the defaults, and the rounds."""
    own = {**BOOSTER_DEFAULTS, **params}
    rounds = int(own.pop("rounds"))
    return own | {"objective": "binary:logistic", "tree_method": "hist", "seed": seed, "nthread": 1}, rounds


@dataclass(frozen=True)
class Boosters:
    """The booster of each fold, and their trees as arrays for scoring."""

    boosters: tuple[Any, ...]
    trees: Trees

    @classmethod
    def of(cls, boosters: Sequence[Any]) -> Boosters:
        """Of ``xgboost.Booster`` objects, one a fold."""
        return cls(tuple(boosters), joined([booster_trees(booster) for booster in boosters]))

    def scores(self, x: Floats) -> Floats:
        """Log-odds: (rows, folds)."""
        return self.trees.sums(x)

    def moved(self, row: Floats, columns: NDArray[np.int64], to: Floats) -> Floats:
        return self.trees.moved(row, columns, to)

    def contributions(self, x: Floats) -> Floats:
        """Mean over the folds of what each feature adds, and the base in the last column: (rows, features + 1)."""
        return self.trees.contributions(x) / len(self.boosters)


@dataclass(frozen=True)
class IsolationForest:
    """Trees of scikit-learn's Isolation Forest as arrays; missing values become ``fill``.

    Reference: Liu, Ting and Zhou, Isolation Forest, ICDM 2008.
    """

    trees: Trees
    fill: Floats

    @classmethod
    def fit(cls, x: Floats, seed: int) -> IsolationForest:
        """Unlabelled: from the matrix alone."""
        from sklearn.ensemble import IsolationForest as Sklearn

        known = np.where(np.isnan(x).all(axis=0), 0.0, x)  # a column that is missing everywhere says nothing
        fill = np.nanmedian(known, axis=0)
        samples = min(FOREST_SAMPLES, len(x))
        forest = Sklearn(n_estimators=FOREST_TREES, max_samples=samples, random_state=seed).fit(
            np.where(np.isnan(x), fill, x)
        )
        norm = float(_mean_path(np.array([samples]))[0])
        return cls(_forest_trees([estimator.tree_ for estimator in forest.estimators_], norm), fill)

    def score(self, x: Floats) -> Floats:
        """Anomaly of each row in 0-1: 0.5 is ordinary, near 1 isolated at once."""
        return np.exp2(self.scores(x)[:, 0])

    def scores(self, x: Floats) -> Floats:
        """Its binary logarithm, which is a mean over trees and so can be shared out over features: (rows, 1)."""
        return self.trees.sums(np.where(np.isnan(x), self.fill, x))

    def moved(self, row: Floats, columns: NDArray[np.int64], to: Floats) -> Floats:
        return self.trees.moved(np.where(np.isnan(row), self.fill, row), columns, to)

    def contributions(self, x: Floats) -> Floats:
        """What each feature adds to ``scores``, and the base in the last column: (rows, features + 1)."""
        return self.trees.contributions(np.where(np.isnan(x), self.fill, x))


def _forest_trees(trees: Sequence[Any], norm: float) -> Trees:
    """A leaf's value is minus the path length of a row that ends there, over ``norm`` and the number of trees."""

    def column(of: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([of(tree) for tree in trees])

    size = column(lambda tree: tree.n_node_samples)
    depth = column(_node_depths)
    return Nodes(
        sizes=np.array([tree.node_count for tree in trees], np.int32),
        feature=column(lambda tree: tree.feature).astype(np.int32),
        threshold=_below(column(lambda tree: tree.threshold)),
        left=column(lambda tree: tree.children_left).astype(np.int32),
        right=column(lambda tree: tree.children_right).astype(np.int32),
        value=-(depth + _mean_path(size)) / (norm * len(trees)),
        cover=size.astype(np.float64),
        missing_left=np.zeros(len(size), np.bool_),
    ).trees()


def _below(threshold: Floats) -> Floats:
    """scikit-learn goes left at ``float32(x) <= threshold``, ``Trees`` at ``<``: the next float32 above it."""
    near = threshold.astype(np.float32)
    low = np.where(near.astype(np.float64) > threshold, np.nextafter(near, np.float32(-np.inf)), near)
    return np.nextafter(low, np.float32(np.inf)).astype(np.float64)


def _node_depths(tree: Any) -> Floats:
    depths = np.zeros(tree.node_count)
    inner = np.flatnonzero(tree.children_left >= 0)
    for node in inner:  # parents come before their children
        depths[[tree.children_left[node], tree.children_right[node]]] = depths[node] + 1
    return depths


def _mean_path(n: NDArray[Any]) -> Floats:
    """Mean path length of an unsuccessful search among ``n``: what a leaf with ``n`` rows would still cost."""
    size = np.maximum(n.astype(np.float64), 1.0)
    grown = 2.0 * (np.log(np.maximum(size - 1.0, 1.0)) + _EULER) - 2.0 * (size - 1.0) / size
    return np.where(size > 2, grown, np.where(size == 2, 1.0, 0.0))
