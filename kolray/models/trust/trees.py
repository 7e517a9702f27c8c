"""Decision trees as arrays, evaluated by compiled code: thousands of trees cost a row some tens of microseconds.

XGBoost's own predictor takes a tenth of a millisecond a call and a booster; a model holds one booster a fold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kolray.models.metrics import Floats
from kolray.models.trust.moves import moved_sums

Ints = NDArray[np.int32]
BLOCK = 128
"""Rows that pass a tree together, while it is in the processor's cache."""


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees one after the other; a row goes left where its value (float32) is below ``threshold``.

    A leaf leads to itself. ``value``: what a leaf adds; at inner nodes the mean over the rows that came there, by which
    ``contributions`` shares a leaf out. ``root``, ``depth`` and ``group`` are of each tree: its first node, its longest
    path, and which output it adds to.
    """

    feature: Ints
    threshold: NDArray[np.float32]
    left: Ints
    right: Ints
    missing_left: NDArray[np.bool_]
    value: Floats
    root: Ints
    depth: Ints
    group: Ints

    @property
    def n_groups(self) -> int:
        return int(self.group.max(initial=-1)) + 1

    def sums(self, x: Floats) -> Floats:
        """Sum of the leaves' values by group: (rows, groups)."""
        out = np.zeros((len(x), self.n_groups))
        _sums(_rows(x), *self._nodes(), self.root, self.depth, self.group, out)
        return out

    def moved(self, row: Floats, columns: NDArray[np.int64], to: Floats) -> Floats:
        """``sums`` of copies of a row (features,) that differ from it in one column each: ``to`` in ``columns``.

        Copies that differ in the same column stand together.
        """
        begin = np.append(np.flatnonzero(np.diff(columns, prepend=-1)), len(columns))
        out = np.zeros((self.n_groups, len(to)))
        runs, values = (begin, columns[begin[:-1]]), _rows(to)
        moved_sums(_rows(row), *runs, values, *self._nodes(), self.root, self.depth, self.group, out)
        return np.ascontiguousarray(out.T)

    def contributions(self, x: Floats) -> Floats:
        """What each feature adds to the sum over all trees, and the base in the last column: (rows, features + 1).

        Along a row's path every step from a node's mean to the next one's is its feature's (Saabas). They sum to
        ``sums`` over all groups.
        """
        out = np.zeros((len(x), x.shape[1] + 1))
        _steps(_rows(x), *self._nodes(), self.root, self.depth, out)
        return out

    def _nodes(self) -> tuple[Any, ...]:
        return self.feature, self.threshold, self.left, self.right, self.missing_left, self.value


def joined(parts: Sequence[Trees]) -> Trees:
    """Trees of several models; each part's groups stay apart, in the order of the parts."""
    nodes = np.cumsum([0, *(len(part.feature) for part in parts)]).astype(np.int32)
    groups = np.cumsum([0, *(part.n_groups for part in parts)]).astype(np.int32)
    shifts = {"left": nodes, "right": nodes, "root": nodes, "group": groups}
    columns = {}
    for field in fields(Trees):
        values = [getattr(part, field.name) for part in parts]
        if field.name in shifts:
            values = [value + shift for value, shift in zip(values, shifts[field.name], strict=False)]
        columns[field.name] = np.concatenate(values)
    return Trees(**columns)


class Nodes(NamedTuple):
    """Trees of one output as a library holds them: nodes one tree after the other, children counted within their tree.

    A leaf has ``left`` < 0; ``value`` counts at leaves; ``cover`` is how many rows came to a node.
    """

    sizes: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    cover: Floats
    missing_left: NDArray[np.bool_]

    def trees(self) -> Trees:
        """All adding to group 0."""
        leaf, own = self.left < 0, np.arange(len(self.left), dtype=np.int32)
        root = (np.cumsum(self.sizes) - self.sizes).astype(np.int32)
        first = np.repeat(root, self.sizes)
        left, right = (np.where(leaf, own, side + first).astype(np.int32) for side in (self.left, self.right))
        cover = np.maximum(self.cover, 1e-16)
        value, depth = np.where(leaf, self.value, 0.0), np.zeros(len(own), np.int32)
        while True:  # from the leaves up, a level each time
            deeper = np.where(leaf, 0, 1 + np.maximum(depth[left], depth[right])).astype(np.int32)
            mean = (value[left] * cover[left] + value[right] * cover[right]) / (cover[left] + cover[right])
            value = np.where(leaf, self.value, mean)
            if np.array_equal(deeper, depth):
                break
            depth = deeper
        feature = np.where(leaf, 0, self.feature).astype(np.int32)
        threshold = self.threshold.astype(np.float32)
        return Trees(feature, threshold, left, right, self.missing_left, value, root, depth[root], np.zeros_like(root))


def booster_trees(booster: Any) -> Trees:
    """Of an ``xgboost.Booster`` with one output; its base score is a tree of one leaf more."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    base = json.loads(learner["learner_model_param"]["base_score"])
    base = float(base[0] if isinstance(base, list) else base)
    if learner["objective"]["name"] == "binary:logistic":
        base = float(np.log(base / (1.0 - base)))
    held = learner["gradient_booster"]["model"]["trees"]

    def column(name: str, last: float, dtype: Any) -> NDArray[Any]:
        return np.array([*chain.from_iterable(tree[name] for tree in held), last], dtype)

    conditions = column("split_conditions", base, np.float64)
    return Nodes(
        sizes=np.array([*(len(tree["left_children"]) for tree in held), 1], np.int32),
        feature=column("split_indices", 0, np.int32),
        threshold=conditions,
        left=column("left_children", -1, np.int32),
        right=column("right_children", -1, np.int32),
        value=conditions,
        cover=column("sum_hessian", 1, np.float64),
        missing_left=column("default_left", 0, np.bool_),
    ).trees()


def _rows(x: Floats) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond float32 is infinite: above every threshold
        return np.ascontiguousarray(x, np.float32)


# Both walk a block of rows through a tree step by step together: the steps of different rows do not wait for each
# other, and a leaf leads to itself, so that nothing branches.
@njit(cache=True, nogil=True)
def _sums(x, feature, threshold, left, right, missing_left, value, root, depth, group, out):
    node = np.empty(BLOCK, np.int32)
    for start in range(0, x.shape[0], BLOCK):
        n = min(BLOCK, x.shape[0] - start)
        for t in range(root.shape[0]):
            node[:n] = root[t]
            for _ in range(depth[t]):
                for i in range(n):
                    at = node[i]
                    v = x[start + i, feature[at]]
                    node[i] = left[at] if (v < threshold[at]) | ((v != v) & missing_left[at]) else right[at]  # noqa: PLR0124
            for i in range(n):
                out[start + i, group[t]] += value[node[i]]


@njit(cache=True, nogil=True)
def _steps(x, feature, threshold, left, right, missing_left, value, root, depth, out):
    node = np.empty(BLOCK, np.int32)
    for start in range(0, x.shape[0], BLOCK):
        n = min(BLOCK, x.shape[0] - start)
        for t in range(root.shape[0]):
            node[:n] = root[t]
            out[start : start + n, -1] += value[root[t]]
            for _ in range(depth[t]):
                for i in range(n):
                    at = node[i]
                    v = x[start + i, feature[at]]
                    node[i] = left[at] if (v < threshold[at]) | ((v != v) & missing_left[at]) else right[at]  # noqa: PLR0124
                    out[start + i, feature[at]] += value[node[i]] - value[at]
