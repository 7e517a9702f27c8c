"""A test that may be looked at after every observation: is the challenger better than the champion, or worse?

Betting on the mean of bounded values (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", JRSS-B 2024): where the null holds, the wealth of a bettor whose stakes are fixed before each observation is a
nonnegative supermartingale, so it ever reaches ``1 / alpha`` with a probability of at most ``alpha`` (Ville).
"""

from __future__ import annotations

import math
from enum import StrEnum

CAP = 0.9
"""Most of the wealth that one observation may cost."""
LIMIT = 0.25
"""A single KOL's gain counts up to this: what is tested is the mean of gains so limited, which makes stakes bold."""


class Verdict(StrEnum):
    """What is known by now."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"


class Bettor:
    """Bets that values in [-1, 1] have a mean above ``null``; stakes follow their mean and variance so far (aGRAPA)."""

    def __init__(self, null: float) -> None:
        self._null = null
        self._n, self._sum, self._squares = 1, 0.0, 0.25  # as if one value had been seen: no bet on nothing
        self._log_wealth, self.best = 0.0, 1.0

    def see(self, value: float) -> None:
        """Wins or loses by one more value."""
        mean = self._sum / self._n
        ahead, variance = mean - self._null, self._squares / self._n
        stake = min(max(ahead / (variance + ahead**2), 0.0), CAP / (1 + self._null))
        self._log_wealth += math.log1p(stake * (value - self._null))
        self.best = max(self.best, math.exp(min(self._log_wealth, 700)))
        self._n, self._sum = self._n + 1, self._sum + value
        self._squares += (value - self._sum / self._n) ** 2


class SequentialTest:
    """Gains (the champion's loss less the challenger's) one by one, each of another KOL.

    Args:
        alpha: at most this part of challengers whose mean gain is not above ``-margin`` is called better, however
            often one looks; likewise of those that are not below it called worse.
        margin: how much worse than the champion, in loss, still counts as good enough; 0: it must be better.
    """

    def __init__(self, alpha: float, margin: float = 0.0) -> None:
        self._needed = 1 / alpha
        null = -margin / LIMIT
        self._better, self._worse = Bettor(null), Bettor(-null)
        self.n, self._sum = 0, 0.0

    def see(self, gain: float) -> Verdict:
        """The verdict after one more gain; the first that is not open stays."""
        if self.verdict is Verdict.OPEN:
            limited = max(-1.0, min(1.0, gain / LIMIT))
            self._better.see(limited)
            self._worse.see(-limited)
            self.n, self._sum = self.n + 1, self._sum + gain
        return self.verdict

    @property
    def verdict(self) -> Verdict:
        if self._better.best >= self._needed:
            return Verdict.BETTER
        return Verdict.WORSE if self._worse.best >= self._needed else Verdict.OPEN

    @property
    def gain(self) -> float:
        """Mean gain so far, not limited; 0 before the first."""
        return self._sum / self.n if self.n else 0.0

    @property
    def evidence(self) -> tuple[float, float]:
        """Most wealth that betting on better, and on worse, ever had; ``1 / alpha`` decides."""
        return self._better.best, self._worse.best
