"""The members of the trust stack: each turns a feature matrix (NaN = missing) into scores, higher = riskier."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats, Labels

BOOSTER_DEFAULTS: dict[str, Any] = {
    "max_depth": 4,
    "eta": 0.08,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "min_child_weight": 3.0,
    "lambda": 2.0,
    "rounds": 160,
}
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
class IsolationForest:
    """Trees of scikit-learn's Isolation Forest as arrays (tree, node): a row costs microseconds and needs no library.

    ``depth`` holds at each leaf the path length of a row that ends there; missing values become ``fill``.
    Reference: Liu, Ting and Zhou, Isolation Forest, ICDM 2008.
    """

    feature: NDArray[np.int32]
    threshold: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    depth: Floats
    fill: Floats
    norm: float

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
        trees = [estimator.tree_ for estimator in forest.estimators_]
        own = np.arange(max(tree.node_count for tree in trees), dtype=np.int32)  # a leaf leads to itself
        leaves = [tree.children_left < 0 for tree in trees]

        def table(values: Iterable[NDArray[Any]], rest: Any) -> NDArray[Any]:
            rows = [np.concatenate([value, np.broadcast_to(rest, own.shape)[len(value) :]]) for value in values]
            return np.stack(rows).astype(np.asarray(rest).dtype)

        def children(side: str) -> NDArray[np.int32]:
            pairs = zip(trees, leaves, strict=True)
            return table((np.where(leaf, own[: len(leaf)], getattr(t, side)) for t, leaf in pairs), own)

        return cls(
            feature=table((np.maximum(tree.feature, 0) for tree in trees), np.int32(0)),
            threshold=table((tree.threshold for tree in trees), 0.0),
            left=children("children_left"),
            right=children("children_right"),
            depth=table((_node_depths(tree) + _mean_path(tree.n_node_samples) for tree in trees), 0.0),
            fill=fill,
            norm=float(_mean_path(np.array([samples]))[0]),
        )

    def score(self, x: Floats) -> Floats:
        """Anomaly of each row in 0-1: 0.5 is ordinary, near 1 isolated at once."""
        # scikit-learn compares in float32: do the same, or rows at a threshold would take the other branch.
        rows = np.where(np.isnan(x), self.fill, x).astype(np.float32)
        tree = np.arange(len(self.feature))
        node = np.zeros((len(rows), len(tree)), dtype=np.int32)
        for _ in range(int(np.ceil(np.log2(FOREST_SAMPLES))) + 1):
            value = np.take_along_axis(rows, self.feature[tree, node], axis=1)
            node = np.where(value <= self.threshold[tree, node], self.left[tree, node], self.right[tree, node])
        return np.exp2(-self.depth[tree, node].mean(axis=1) / self.norm)


def _node_depths(tree: Any) -> Floats:
    depths = np.zeros(tree.node_count)
    for node in range(tree.node_count):  # parents come before their children
        for child in (tree.children_left[node], tree.children_right[node]):
            if child >= 0:
                depths[child] = depths[node] + 1
    return depths


def _mean_path(n: NDArray[Any]) -> Floats:
    """Mean path length of an unsuccessful search among ``n``: what a leaf with ``n`` rows would still cost."""
    size = np.maximum(n.astype(np.float64), 1.0)
    grown = 2.0 * (np.log(np.maximum(size - 1.0, 1.0)) + _EULER) - 2.0 * (size - 1.0) / size
    return np.where(size > 2, grown, np.where(size == 2, 1.0, 0.0))
