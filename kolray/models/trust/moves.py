"""Compiled walks of copies of one row that differ from it in one column each, as the search for a counterfactual asks.

Two things make them cheap. Where the row's own path through a tree never looks at a column, every copy that differs in
it ends in the row's own leaf. Where it does, the copies walk together from the first node that looks at it, and part
only at nodes that look at it again. Values are added in the order of the trees, as for a row of its own: to the bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def moved_sums(x, begin, column, to, feature, threshold, left, right, missing_left, value, root, depth, group, out):
    """Adds each tree's leaf of each copy to ``out`` (groups, copies).

    Args:
        x: the row (features,), float32. ``begin`` (runs + 1,), ``column`` (runs,): the copies from ``begin[r]`` to
            ``begin[r + 1]`` have their value of ``to`` (copies,), never NaN, in ``column[r]``; a column is one run.
    """
    run_of = np.full(x.shape[0], -1)
    run_of[column] = np.arange(column.shape[0])
    order, found = np.arange(to.shape[0]), np.empty(to.shape[0])
    looked = np.empty((depth.max() + 1, 2), np.int64)
    waiting = np.empty((depth.max() + 1, 3), np.int64)
    for t in range(root.shape[0]):
        leaf, n_looked = _own_path(x, run_of, root[t], feature, threshold, left, right, missing_left, looked)
        sums = out[group[t]]
        for k in range(n_looked):
            r = looked[k, 0]
            waiting[0, 0], waiting[0, 1], waiting[0, 2] = looked[k, 1], begin[r], begin[r + 1]
            _leaves(x, column[r], to, order, waiting, feature, threshold, left, right, missing_left, value, found)
            for i in range(begin[r], begin[r + 1]):
                found[i] += sums[i]
        sums += value[leaf]
        for k in range(n_looked):
            low, high = begin[looked[k, 0]], begin[looked[k, 0] + 1]
            sums[low:high] = found[low:high]


@njit(nogil=True)
def _own_path(x, run_of, at, feature, threshold, left, right, missing_left, looked):
    """The row's leaf; ``looked`` gets the runs on the way there, each with the first node that looks at its column."""
    n_looked = 0
    while left[at] != at:
        r, known = run_of[feature[at]], False
        for k in range(n_looked):
            known |= looked[k, 0] == r
        if r >= 0 and not known:
            looked[n_looked, 0], looked[n_looked, 1] = r, at
            n_looked += 1
        v = x[feature[at]]
        at = left[at] if (v < threshold[at]) | ((v != v) & missing_left[at]) else right[at]  # noqa: PLR0124
    return at, n_looked


@njit(nogil=True)
def _leaves(x, column, to, order, waiting, feature, threshold, left, right, missing_left, value, found):
    """Their leaf's value for the copies ``order[low:high]`` at a node, ``waiting[0]`` being node, low and high."""
    n_waiting = 1
    while n_waiting > 0:
        n_waiting -= 1
        at, low, high = waiting[n_waiting, 0], waiting[n_waiting, 1], waiting[n_waiting, 2]
        while left[at] != at:
            if feature[at] != column:
                v = x[feature[at]]
                at = left[at] if (v < threshold[at]) | ((v != v) & missing_left[at]) else right[at]  # noqa: PLR0124
                continue
            parted = _parted(order, low, high, to, threshold[at])
            if parted == low:
                at = right[at]
                continue
            if parted < high:
                waiting[n_waiting, 0], waiting[n_waiting, 1], waiting[n_waiting, 2] = right[at], parted, high
                n_waiting += 1
            at, high = left[at], parted
        for i in range(low, high):
            found[order[i]] = value[at]


@njit(nogil=True)
def _parted(order, low, high, to, threshold):
    """Reorders ``order[low:high]``: copies below the threshold first; returns where the others begin."""
    while low < high:
        if to[order[low]] < threshold:
            low += 1
        else:
            high -= 1
            order[low], order[high] = order[high], order[low]
    return low
