"""A histogram in plain numbers: small enough to travel in a status, cheap enough to be filled beside a write."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from prometheus_client.core import HistogramMetricFamily


class Tally:
    """Counts values by the least bound that is not below them. One thread adds; others may read.

    >>> tally = Tally((0.1, 1.0))
    >>> for value in (0.05, 0.1, 7.0): tally.add(value)
    >>> tally.add_all(np.array([0.5, 1.0]))
    >>> tally.told()
    {'counts': [2, 2, 1], 'sum': 8.65}
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """In the unit of the bounds."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_all(self, values: npt.NDArray[np.floating[Any]]) -> None:
        """Many at once."""
        places = np.searchsorted(self._bounds, values)
        self._counts = [*map(int.__add__, self._counts, np.bincount(places, minlength=len(self._counts)).tolist())]
        self._sum += float(values.sum())

    def told(self) -> dict[str, Any]:
        """``counts`` of each bucket, the last without a bound, and the ``sum``."""
        return {"counts": list(self._counts), "sum": round(self._sum, 6)}


def add_tally(
    family: HistogramMetricFamily, labels: Sequence[str], bounds: Sequence[float], told: dict[str, Any]
) -> None:
    """Adds what ``Tally.told`` said to a metric; Prometheus wants the buckets summed up."""
    buckets, seen = [], 0
    for bound, count in zip([*map(str, bounds), "+Inf"], told["counts"], strict=True):
        seen += count
        buckets.append((bound, float(seen)))
    family.add_metric(labels, buckets=buckets, sum_value=told["sum"])
