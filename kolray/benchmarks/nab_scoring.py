"""The score of the Numenta Anomaly Benchmark, standard profile, written from its rules.

A detection inside a labelled window counts by how early it is: the earliest gives close to 1, one at the window's end
0. A window without one costs 1. Every detection outside costs 0.11, less shortly after a window. The first 15 % of a
series (750 rows at most) do not count. The threshold is the one that is best over all series together. The sum is
normalised so that no detection at all is 0 and the earliest detection of every window, nothing else, is 100.

Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms", 2015, arXiv 1510.03336.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COST_FALSE_POSITIVE, COST_MISSED, GAIN_FOUND = 0.11, 1.0, 1.0
PROBATION, PROBATION_OF_AT_MOST = 0.15, 5000
NEVER = float("inf")


@dataclass(frozen=True)
class Labelled:
    """One series' length in rows, and its labelled windows as first and last row, oldest first."""

    rows: int
    windows: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Scored:
    """What a threshold gives over all series: the sum, the same between 0 and 100, and what was found.

    A detection is a row with at least ``threshold``; ``false_positives`` counts rows.
    """

    score: float
    raw: float
    threshold: float
    windows_found: int
    windows: int
    false_positives: int


def sigmoid(position: Floats) -> Floats:
    """Worth of a detection: 1 early in a window (position -1), 0 at its end (0), -1 long after (3 and more)."""
    return np.where(position >= 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3))) - 1)


def worth(series: Labelled) -> tuple[Floats, Ints]:
    """What a detection at each row is worth, and the place of the window it lies in (-1: none)."""
    at = np.arange(series.rows)
    value, window = np.full(series.rows, -COST_FALSE_POSITIVE), np.full(series.rows, -1)
    best = float(sigmoid(np.array([-1.0]))[0])
    for place, (first, last) in enumerate(series.windows):
        width = last - first + 1
        value[last + 1 :] = COST_FALSE_POSITIVE * sigmoid((at[last + 1 :] - last) / (width - 1))
        value[first : last + 1] = GAIN_FOUND * sigmoid(-(last - at[first : last + 1] + 1) / width) / best
        window[first : last + 1] = place
    return value, window


def probation(rows: int) -> int:
    """Rows at the start that do not count."""
    return int(min(np.floor(PROBATION * rows), PROBATION * PROBATION_OF_AT_MOST))


class Corpus:
    """All series' labels: scores any detector's anomaly scores, larger meaning less usual."""

    def __init__(self, series: Sequence[Labelled]) -> None:
        self._starts = [probation(one.rows) for one in series]
        offsets = [0, *accumulate(len(one.windows) for one in series)]
        self.n_windows = offsets[-1]
        values, windows = [], []
        for one, start, offset in zip(series, self._starts, offsets, strict=False):
            value, window = worth(one)
            values.append(value[start:])
            windows.append(np.where(window >= 0, window + offset, -1)[start:])
        self._value, self._window = np.concatenate(values), np.concatenate(windows)

    def score(self, scores: Sequence[Floats], threshold: float) -> Scored:
        """What rows with at least ``threshold`` give."""
        flat = self._flat(scores)
        hit = flat >= threshold
        outside = hit & (self._window < 0)
        best = np.full(self.n_windows, -COST_MISSED)
        inside = hit & (self._window >= 0)
        np.maximum.at(best, self._window[inside], self._value[inside])
        raw = float(self._value[outside].sum() + best.sum())
        found = len(np.unique(self._window[inside]))
        none, all_early = -COST_MISSED * self.n_windows, GAIN_FOUND * self.n_windows
        normal = 100 * (raw - none) / (all_early - none)
        return Scored(normal, raw, threshold, found, self.n_windows, int(outside.sum()))

    def best(self, scores: Sequence[Floats]) -> Scored:
        """The threshold with the largest sum over all series; ``NEVER`` if none beats silence."""
        flat = self._flat(scores)
        order = np.argsort(-flat, kind="stable")
        gains = np.where(self._window < 0, self._value, 0.0)[order]
        window = self._window[order]
        for place in range(self.n_windows):
            mine = np.flatnonzero(window == place)
            highest = np.maximum.accumulate(np.concatenate([[-COST_MISSED], self._value[order][mine]]))
            gains[mine] = np.diff(highest)
        total = np.cumsum(gains)
        ordered = flat[order]
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        top = ends[np.argmax(total[ends])]
        return self.score(scores, float(ordered[top]) if total[top] > 0 else NEVER)

    def _flat(self, scores: Sequence[Floats]) -> Floats:
        return np.concatenate([one[start:] for one, start in zip(scores, self._starts, strict=True)])
