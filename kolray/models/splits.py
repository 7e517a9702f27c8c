"""Who is trained on and who is judged: folds by account and origins by time. Exact per seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kolray.errors import InvalidInputError

Rows = NDArray[np.int64]


def stratified_folds(labels: NDArray[np.int8], n_folds: int, seed: int, groups: Rows | None = None) -> Rows:
    """A fold number (0 … ``n_folds`` - 1) for each row; labels spread evenly, rows of one group stay together.

    Args:
        labels: 0 or 1.
        groups: a number shared by rows that must not be parted (identical accounts); none: each row for itself.

    Raises:
        InvalidInputError: a class has fewer rows, or fewer different ones, than folds.
    """
    if groups is None:
        groups = np.arange(len(labels))
    names, first, member = np.unique(groups, return_index=True, return_inverse=True)
    counts = np.bincount(labels[first], minlength=2)
    if counts.min() < n_folds:
        raise InvalidInputError(
            f"{n_folds} folds need as many different rows of each label; there are {counts[0]} of 0 and {counts[1]} of"
            " 1. Label more accounts of both kinds, or give more of their features."
        )
    fold = np.empty(len(names), dtype=np.int64)
    rng = np.random.default_rng(seed)
    for label in (0, 1):
        mine = np.flatnonzero(labels[first] == label)
        start = rng.integers(n_folds)
        fold[rng.permutation(mine)] = (np.arange(len(mine)) + start) % n_folds
    return fold[member]


def rolling_origins(n_hours: int, horizon: int, n_origins: int, min_history: int) -> list[int]:
    """The newest ``n_origins`` cut positions a ``horizon`` apart, oldest first.

    A cut at ``o`` trains on hours before ``o`` and is judged on ``o … o + horizon - 1``.
    """
    cuts = [n_hours - horizon * (k + 1) for k in range(n_origins)]
    return sorted(cut for cut in cuts if cut >= min_history)
