"""Compiles what a score and its explanation need, before somebody waits for it."""

from __future__ import annotations

import numpy as np

from kolray.models.trust.additive import Additive
from kolray.models.trust.curves import KNOTS
from kolray.models.trust.trees import Nodes


def warm_up() -> None:
    """Keeps the code on disk: a later process loads it in a moment."""
    leaf, one, row = np.full(1, -1, np.int32), np.ones(1), np.zeros(1)
    trees = Nodes(np.ones(1, np.int32), leaf, one, leaf, leaf, one, one, np.zeros(1, np.bool_)).trees()
    trees.contributions(row[None])
    curves = Additive(np.zeros(1, np.int64), np.zeros((1, KNOTS)), np.zeros((1, 1, KNOTS)), one[None], one)
    for scores in (trees.sums, curves.scores):
        scores(row[None])
    for part in (trees, curves):
        part.moved(row, np.zeros(1, np.int64), row)
