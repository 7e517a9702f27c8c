"""Curves that are linear between knots and flat beyond them, in compiled code: one row costs a few microseconds."""

from __future__ import annotations

import numpy as np
from numba import njit

KNOTS = 8
EPS = 1e-12
LANES, BLOCK = 8, 128
"""How NumPy sums: so many side by side, and longer rows by halves."""


@njit(nogil=True)
def _place(value, knots):
    """The knot at or below a value, and how far it is on the way to the next one (0-1)."""
    place = -1
    for knot in knots:
        place += value >= knot
    place = min(max(place, 0), KNOTS - 2)
    low, high = knots[place], knots[place + 1]
    return place, min(max((value - low) / max(high - low, EPS), 0.0), 1.0)


@njit(cache=True, nogil=True)
def effects(z, knots, heights, missing, out):
    """What each value adds in each fold, into ``out`` (folds, rows, columns); missing values have heights of their own.

    Args:
        z: (rows, columns); ``knots``: (columns, KNOTS), ascending; ``heights``: (folds, columns, KNOTS); ``missing``:
            (folds, columns).
    """
    for row in range(z.shape[0]):
        for column in range(z.shape[1]):
            if np.isnan(z[row, column]):
                out[:, row, column] = missing[:, column]
                continue
            place, weight = _place(z[row, column], knots[column])
            for fold in range(heights.shape[0]):
                low, high = heights[fold, column, place], heights[fold, column, place + 1]
                out[fold, row, column] = low + weight * (high - low)


@njit(nogil=True)
def _pairwise(values, lanes):
    """Their sum in NumPy's own order, so that it is equal to ``values.sum()`` to the bit; ``lanes`` are scratch."""
    n, total = len(values), 0.0
    if n <= BLOCK:
        if n >= LANES:
            lanes[:] = values[:LANES]
            for start in range(LANES, n - n % LANES, LANES):
                for lane in range(LANES):
                    lanes[lane] += values[start + lane]
            total = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
        for rest in range(n - n % LANES, n):
            total += values[rest]
        return total
    half = n // 2 - n // 2 % LANES
    return _pairwise(values[:half], lanes) + _pairwise(values[half:], lanes)


@njit(cache=True, nogil=True)
def moved_curve_sums(z, columns, knots, heights, own, out):
    """Sums of ``effects`` of one row's copies that differ in one value each, into ``out`` (folds, copies).

    Args:
        z, columns: the value of each copy, none missing, and its column; -1: in none, the copy is the row.
        own: the row's effects (folds, columns).
    """
    changed, lanes = own.copy(), np.empty(LANES)
    for copy in range(z.shape[0]):
        column = columns[copy]
        place, weight = _place(z[copy], knots[max(column, 0)])
        for fold in range(heights.shape[0]):
            if column >= 0:
                low, high = heights[fold, column, place], heights[fold, column, place + 1]
                changed[fold, column] = low + weight * (high - low)
            out[fold, copy] = _pairwise(changed[fold], lanes)
        changed[:, column] = own[:, column]


@njit(cache=True, nogil=True)
def hats(z, knots, out):
    """How much each knot has of each value, into ``out`` of zeros (rows, columns, KNOTS + 1); the last marks NaN."""
    for row in range(z.shape[0]):
        for column in range(z.shape[1]):
            if np.isnan(z[row, column]):
                out[row, column, KNOTS] = 1.0
                continue
            place, weight = _place(z[row, column], knots[column])
            out[row, column, place] = 1.0 - weight
            out[row, column, place + 1] = weight
