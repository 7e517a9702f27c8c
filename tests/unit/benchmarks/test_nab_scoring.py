"""NAB's scoring rules on series small enough to score by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kolray.benchmarks.nab_scoring import (
    COST_FALSE_POSITIVE,
    NEVER,
    Corpus,
    Floats,
    Labelled,
    probation,
    sigmoid,
    worth,
)

ONE = Labelled(100, ((40, 49),))
"""A hundred rows, of which the first fifteen do not count; one window of ten."""


def s(position: float) -> float:
    """The published sigmoid."""
    return 2 / (1 + math.exp(5 * position)) - 1


def hits(*rows: int, n: int = 100) -> Floats:
    scores = np.zeros(n)
    scores[list(rows)] = 1.0
    return scores


def test_the_sigmoid_is_that_of_the_paper() -> None:
    assert sigmoid(np.array([-1.0, 0.0, 1.0, 3.0, 9.0])) == pytest.approx([s(-1), 0, s(1), -1, -1])
    assert s(-1) == pytest.approx(0.98661, abs=1e-5)


def test_the_first_rows_do_not_count_and_of_a_long_series_only_750() -> None:
    assert [probation(rows) for rows in (10, 100, 5000, 20_000)] == [1, 15, 750, 750]
    assert Corpus([ONE]).score([hits(0, 14)], 0.5).raw == -1
    assert Corpus([ONE]).score([hits(15)], 0.5).raw == pytest.approx(-1 - COST_FALSE_POSITIVE)


def test_silence_is_0_and_the_earliest_detection_alone_is_100() -> None:
    silent = Corpus([ONE]).score([hits()], 0.5)
    assert (silent.score, silent.raw, silent.windows_found) == (0, -1, 0)
    first = Corpus([ONE]).score([hits(40)], 0.5)
    assert (first.score, first.raw, first.windows_found) == (pytest.approx(100), pytest.approx(1), 1)


def test_a_later_detection_is_worth_less_and_only_the_earliest_counts() -> None:
    value, window = worth(ONE)
    # 40 ─ 49: positions -1.0, -0.9 … -0.1
    assert value[40:50] == pytest.approx([s(-(10 - i) / 10) / s(-1) for i in range(10)])
    assert window[39:51].tolist() == [-1, *[0] * 10, -1]
    late, both = Corpus([ONE]).score([hits(45)], 0.5), Corpus([ONE]).score([hits(45, 48)], 0.5)
    assert late.raw == both.raw == pytest.approx(s(-0.5) / s(-1))


def test_a_false_alarm_costs_less_shortly_after_a_window() -> None:
    corpus = Corpus([ONE])
    before, just_after, long_after = (corpus.score([hits(40, row)], 0.5) for row in (30, 50, 99))
    assert before.raw == pytest.approx(1 - 0.11)
    assert just_after.raw == pytest.approx(1 + 0.11 * s(1 / 9))
    assert long_after.raw == pytest.approx(1 - 0.11)
    assert [found.false_positives for found in (before, just_after, long_after)] == [1, 1, 1]


def test_the_threshold_is_the_best_over_all_series_together() -> None:
    corpus = Corpus([ONE, Labelled(100, ((60, 69),))])
    first, second = hits(40) * 0.9, hits(60) * 0.7
    first[20] = 0.8  # a false alarm between the two: worth its price for the second window
    second[30:50] = 0.6
    best = corpus.best([first, second])
    assert best.threshold == 0.7
    assert (best.windows_found, best.false_positives) == (2, 1)
    assert best.raw == pytest.approx(2 - 0.11)
    assert best == corpus.score([first, second], 0.7)


def test_a_detector_that_only_harms_is_never_listened_to() -> None:
    best = Corpus([ONE]).best([hits(20, 30)])
    assert (best.threshold, best.score) == (NEVER, 0)
