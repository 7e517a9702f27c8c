"""Challengers that are no better are rarely called better, whenever one looks; clear cases are soon decided."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator

from kolray.errors import InvalidInputError
from kolray.models.delivery.sequential import Bettor, SequentialTest, Verdict
from kolray.models.metrics import Floats

RUNS, KOLS, ALPHA = 10_000, 250, 0.05
ALLOWED = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / RUNS)
"""5.7 %: three standard errors of the simulation above what is promised."""
Draw = Callable[[Generator], Floats]


def _two(low: float, often: float, high: float) -> Draw:
    """Values of a trial's next KOL, one a run: ``low`` with a probability of ``often``, else ``high``."""
    return lambda rng: np.where(rng.random(RUNS) < often, low, high)


def _brier(rng: Generator) -> Floats:
    """Two models that each add as much noise of their own to what both know."""
    bought = rng.random(RUNS) < 0.3
    known = np.where(bought, 1.2, -1.2) + rng.normal(0, 0.8, RUNS)
    one, other = (1 / (1 + np.exp(-2 * (known + rng.normal(0, 0.8, RUNS)))) for _ in range(2))
    return np.asarray((one - bought) ** 2 - (other - bought) ** 2)


NO_BETTER: dict[str, Draw] = {
    "normal": lambda rng: rng.normal(0, 0.05, RUNS),
    "heavy tails": lambda rng: np.clip(rng.standard_t(2, RUNS) * 0.05, -1, 1),
    "two models as good": _brier,
    "coin": _two(-0.25, 0.5, 0.25),
    "all or nothing": _two(-1, 0.5, 1),
    "rare losses, fair": _two(-0.45, 0.1, 0.05),
    "rare losses, unfair": _two(-0.6, 0.1, 0.05),
    "seldom a catastrophe": _two(-1, 0.02, 1 / 49),
    "rare gains": _two(-0.05, 0.9, 0.45),
}
"""Means of at most 0, spread in every way that the promise has to hold for."""


def _ever(draw: Draw, null: float = 0.0) -> tuple[float, float]:
    """Part of the runs in which a bettor's wealth ever reaches what decides, and the median KOL at which."""
    rng, bettor, at = np.random.default_rng(3), Bettor(null), np.full(RUNS, np.inf)
    for n in range(1, KOLS + 1):
        bettor.see(draw(rng))
        at = np.where(np.isinf(at) & (bettor.best >= 1 / ALPHA), n, at)
    return float(np.isfinite(at).mean()), float(np.median(at))


@pytest.mark.parametrize("draw", NO_BETTER.values(), ids=NO_BETTER)
def test_at_most_alpha_of_those_no_better_are_called_better_though_one_looks_after_each_kol(draw: Draw) -> None:
    assert _ever(draw)[0] <= ALLOWED


@pytest.mark.parametrize("margin", [0.03, 0.2])
def test_at_most_alpha_of_those_as_much_worse_as_the_margin_are_called_good_enough(margin: float) -> None:
    worse = NO_BETTER["normal"]
    assert _ever(lambda rng: worse(rng) - margin, -margin)[0] <= ALLOWED
    assert _ever(_two(-1, (0.01 + margin) / 1.01, 0.01), -margin)[0] <= ALLOWED, "rarely, but by all"
    assert _ever(lambda rng: -worse(rng) + margin, margin)[0] <= ALLOWED, "nor called worse, by as much"


def test_a_clear_difference_is_soon_known_and_rare_great_losses_do_not_hide_it() -> None:
    clear, at = _ever(lambda rng: rng.normal(0.03, 0.05, RUNS))
    assert (clear > 0.99, at < 125) == (True, True)
    assert _ever(_two(-1, 0.03, 0.1))[0] > 0.6
    assert _ever(NO_BETTER["normal"], null=-0.03)[0] > 0.99, "as good is good enough within the margin"


@pytest.mark.parametrize(("gain", "verdict"), [(0.2, Verdict.BETTER), (-0.2, Verdict.WORSE)])
def test_the_first_verdict_stays_and_a_single_kol_decides_nothing(gain: float, verdict: Verdict) -> None:
    test = SequentialTest(ALPHA)
    assert test.see(5 * gain) is Verdict.OPEN
    for _ in range(50):
        test.see(gain)
    assert test.verdict is verdict
    assert max(test.evidence) >= 1 / ALPHA
    n = test.n
    assert test.see(-5 * gain) is verdict
    assert test.n == n


def test_the_order_of_kols_changes_nothing_of_the_evidence() -> None:
    gains = np.random.default_rng(3).normal(0, 0.3, 40).clip(-1, 1)
    wealths = []
    for ordered in (np.sort(gains), gains):
        bettor = Bettor(0.0)
        for gain in ordered:
            bettor.see(float(gain))
        wealths.append(bettor._wealths)
    assert wealths[0] == pytest.approx(wealths[1])


@pytest.mark.parametrize("gain", [1.01, -2.0, float("nan")])
def test_what_is_no_gain_is_refused(gain: float) -> None:
    with pytest.raises(InvalidInputError, match="numbers from 0 to 1"):
        SequentialTest(ALPHA).see(gain)
