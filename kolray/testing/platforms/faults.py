"""What goes wrong at a platform: errors at random by seed, and a quota that it counts by its own clock."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.responses import PlainTextResponse, Response

IN_A_ROW = 2
"""Faults that come one after the other at most, so that a client that tries three times gets its answer."""


@dataclass
class Faults:
    """``share`` of the requests fail: 500, 503, 429 with ``Retry-After``, a torn answer.

    Args:
        units: requests a period that the platform allows; None: any number.
        period: the name of the quota's period at a time of the platform.
    """

    seed: int = 0
    share: float = 0.0
    units: int | None = None
    period: Callable[[datetime], str] = lambda at: f"{at:%Y-%m-%d}"
    spent: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    def __post_init__(self) -> None:
        self._draw, self._row = random.Random(self.seed), 0  # noqa: S311

    def over_quota(self, now: datetime, units: int = 1) -> bool:
        """Counts a request; True where it is one too many."""
        period = self.period(now)
        self.spent[period] += units
        over = self.units is not None and self.spent[period] > self.units
        self.refused += over
        return over

    def strike(self) -> Response | None:
        """The failure this request meets, if any."""
        if self._row >= IN_A_ROW or self._draw.random() >= self.share:
            self._row = 0
            return None
        self._row += 1
        kind = self._draw.randrange(4)
        if kind == 0:
            return PlainTextResponse("too many requests", 429, {"Retry-After": "1"})
        if kind == 1:
            return PlainTextResponse('{"items": [{"id": "torn', 200, {"Content-Type": "application/json"})
        return PlainTextResponse("<html>oops</html>", 500 if kind == 2 else 503)
