"""A test that may be looked at after every observation: is the challenger better than the champion, or worse?

Betting on the mean of bounded values (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", JRSS-B 2024): where the null holds, the wealth of a bettor whose stakes are fixed before each observation is a
nonnegative supermartingale, so it ever reaches ``1 / alpha`` with a probability of at most ``alpha`` (Ville). Losses
count in full: limiting what speaks against the hypothesis would test another mean than the one that is promised.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats

STAKES = np.array([0.95, 0.25])
"""Parts of the wealth that the worst possible value costs. The bold one is all but the quickest where gains are as
small as models' are; the other outlives rare great losses."""
SHARES = np.array([0.8, 0.2])
"""How the first wealth is parted between them."""


class Verdict(StrEnum):
    """What is known by now."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"


class Bettor:
    """Bets that values in [-1, 1] have a mean above ``null``, a value at a time: of one trial, or of many at once.

    Stakes are the same from first to last, so the wealth does not depend on the order in which values came.
    """

    def __init__(self, null: float) -> None:
        self._null = null
        self._stakes = STAKES / (1 + null)
        self._wealths = np.ones(len(STAKES))
        self.best: Floats = np.ones(())

    def see(self, value: float | Floats) -> None:
        """Wins or loses by one more value (many trials: by one of each)."""
        won = 1 + np.multiply.outer(self._stakes, np.asarray(value) - self._null)
        self._wealths = (self._wealths.T * won.T).T
        self.best = np.maximum(self.best, SHARES @ self._wealths)


class SequentialTest:
    """Gains (the champion's loss less the challenger's, -1 … 1) one by one, each of another KOL.

    Args:
        alpha: at most this part of challengers whose mean gain is not above ``-margin`` is called better, however
            often one looks and however gains are spread; likewise of those that are not below it called worse. The
            mean is that of the KOLs as they come, each given those before it.
        margin: how much worse than the champion, in loss, still counts as good enough; 0: it must be better.
    """

    def __init__(self, alpha: float, margin: float = 0.0) -> None:
        self._needed = 1 / alpha
        self._better, self._worse = Bettor(-margin), Bettor(margin)
        self.n, self._sum = 0, 0.0

    def see(self, gain: float) -> Verdict:
        """The verdict after one more gain; the first that is not open stays.

        Raises:
            InvalidInputError: a gain that is none.
        """
        if not -1 <= gain <= 1:
            raise InvalidInputError(
                f"a gain of {gain}: losses are numbers from 0 to 1, so what a model said is not one"
            )
        if self.verdict is Verdict.OPEN:
            self._better.see(gain)
            self._worse.see(-gain)
            self.n, self._sum = self.n + 1, self._sum + gain
        return self.verdict

    @property
    def verdict(self) -> Verdict:
        if self._better.best >= self._needed:
            return Verdict.BETTER
        return Verdict.WORSE if self._worse.best >= self._needed else Verdict.OPEN

    @property
    def gain(self) -> float:
        """Mean gain so far; 0 before the first."""
        return self._sum / self.n if self.n else 0.0

    @property
    def evidence(self) -> tuple[float, float]:
        """Most wealth that betting on better, and on worse, ever had; ``1 / alpha`` decides."""
        return float(self._better.best), float(self._worse.best)
