"""Requests a minute for each token: counted in Redis over all replicas, stricter and alone while Redis is away."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from typing import Any, NamedTuple

from kolray.clock import Clock, SystemClock
from kolray.errors import ServiceUnavailableError
from kolray.serving.problems import Problem
from kolray.serving.tokens import Token
from kolray.stores.rate_window import Count, RateWindow
from kolray.stores.redis_loop import Command

WINDOW_S = 60
ALONE = 4
"""Part of the limit (1/n) that one replica grants by itself while Redis is away."""


class Granted(NamedTuple):
    """The standard headers, and what Redis answered besides; None: it is away."""

    headers: dict[str, str]
    replies: list[Any] | None


class RateLimiter:
    """At most ``rate_per_minute`` requests of a token in any 60 seconds.

    While Redis answers, that is exact over all replicas (see ``RateWindow``). While it does not, a replica grants a
    quarter of it by itself, and what it let through before counts: so four replicas that share the load evenly let no
    more through than before, and more of them may. Both texts of a token that is being rotated count together.
    """

    def __init__(self, shared: RateWindow, clock: Clock | None = None) -> None:
        self._shared, self._clock = shared, clock or SystemClock()
        self._granted: dict[str, deque[float]] = {}

    async def check(self, token: Token, *more: Command) -> Granted:
        """Counts one request, and asks Redis for ``more`` in the same round trip.

        Raises:
            Problem: 429 with ``Retry-After`` when the limit is reached.
        """
        key = hashlib.sha256(token.name.encode()).hexdigest()[:32]
        limit = token.rate_per_minute
        replies: list[Any] | None = None
        try:
            (granted, held, next_s), replies = await self._shared.take(key, limit, *more)
        except ServiceUnavailableError:
            limit = max(1, limit // ALONE)
            granted, held, next_s = self._by_itself(key, limit)
        if granted:
            self._mine(key).append(self._clock.monotonic())
        wait_s = max(1, math.ceil(next_s))
        headers = {
            "RateLimit-Policy": f"{limit};w={WINDOW_S}",
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(max(0, limit - held)),
            "RateLimit-Reset": str(wait_s),
        }
        if not granted:
            detail = f"{limit} requests a minute are used up; try again in {wait_s} s"
            raise Problem(429, "Too many requests", detail, headers | {"Retry-After": str(wait_s)})
        return Granted(headers, replies)

    def _by_itself(self, key: str, limit: int) -> Count:
        mine = self._mine(key)
        granted = len(mine) < limit
        oldest = mine[0] if mine else self._clock.monotonic()
        return Count(granted, len(mine) + granted, oldest + WINDOW_S - self._clock.monotonic())

    def _mine(self, key: str) -> deque[float]:
        """When this replica granted a request, in the last ``WINDOW_S``."""
        mine = self._granted.setdefault(key, deque())
        since = self._clock.monotonic() - WINDOW_S
        while mine and mine[0] <= since:
            mine.popleft()
        return mine
