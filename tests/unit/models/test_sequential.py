"""Challengers that are no better are rarely called better, whenever one looks; clear cases are soon decided."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator

from kolray.models.delivery.sequential import LIMIT, SequentialTest, Verdict

RUNS, KOLS, ALPHA = 600, 250, 0.05
Draw = Callable[[Generator], np.ndarray]


def _rare(rng: Generator) -> np.ndarray:
    """Nearly always a small gain, at times a large loss: fair all the same."""
    return np.where(rng.random(KOLS) < 0.1, -0.18, 0.02)


NO_BETTER: dict[str, Draw] = {
    "normal": lambda rng: rng.normal(0, 0.05, KOLS),
    "coin": lambda rng: rng.choice([-LIMIT, LIMIT], KOLS),
    "rare losses": _rare,
    "rare gains": lambda rng: -_rare(rng),
}


def _verdicts(draw: Draw, margin: float = 0.0, shift: float = 0.0) -> list[tuple[Verdict, int]]:
    rng, found = np.random.default_rng(3), []
    for _ in range(RUNS):
        test = SequentialTest(ALPHA, margin)
        for gain in draw(rng) + shift:
            if test.see(float(gain)) is not Verdict.OPEN:
                break
        found.append((test.verdict, test.n))
    return found


@pytest.mark.parametrize("draw", NO_BETTER.values(), ids=NO_BETTER)
def test_at_most_alpha_of_the_fair_are_called_better_or_worse_though_one_looks_after_each_kol(draw: Draw) -> None:
    verdicts = [verdict for verdict, _ in _verdicts(draw)]
    allowed = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / RUNS)
    assert np.mean([verdict is Verdict.BETTER for verdict in verdicts]) <= allowed
    assert np.mean([verdict is Verdict.WORSE for verdict in verdicts]) <= allowed


@pytest.mark.parametrize(("shift", "verdict"), [(0.03, Verdict.BETTER), (-0.03, Verdict.WORSE)])
def test_a_clear_difference_is_soon_known(shift: float, verdict: Verdict) -> None:
    found = _verdicts(NO_BETTER["normal"], shift=shift)
    assert np.mean([each is verdict for each, _ in found]) > 0.95
    assert np.median([n for _, n in found]) < 80


def test_within_the_margin_as_good_is_good_enough() -> None:
    assert np.mean([each is Verdict.BETTER for each, _ in _verdicts(NO_BETTER["normal"], margin=0.03)]) > 0.95
    worse = _verdicts(NO_BETTER["normal"], margin=0.03, shift=-0.03)
    assert np.mean([each is Verdict.BETTER for each, _ in worse]) <= 0.08


def test_the_first_verdict_stays_and_a_single_kol_decides_nothing() -> None:
    test = SequentialTest(ALPHA)
    assert test.see(1.0) is Verdict.OPEN
    assert test.evidence[0] == 1.0, "nothing was at stake yet"
    for _ in range(50):
        test.see(0.2)
    assert test.verdict is Verdict.BETTER
    n = test.n
    assert test.see(-1.0) is Verdict.BETTER
    assert test.n == n
