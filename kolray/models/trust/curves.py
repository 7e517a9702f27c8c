"""Curves that are linear between knots and flat beyond them, in compiled code: one row costs a few microseconds."""

from __future__ import annotations

import numpy as np
from numba import njit

KNOTS = 8
EPS = 1e-12


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


@njit(cache=True, nogil=True)
def moved_effects(z, columns, knots, heights, out):
    """``effects`` of one value a row, none of them missing: ``z`` (rows,), each in its column; -1: in none."""
    for row in range(z.shape[0]):
        column = columns[row]
        if column < 0:
            continue
        place, weight = _place(z[row], knots[column])
        for fold in range(heights.shape[0]):
            low, high = heights[fold, column, place], heights[fold, column, place + 1]
            out[fold, row, column] = low + weight * (high - low)


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
