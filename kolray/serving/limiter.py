"""Requests a minute for each token: counted in Redis over all replicas, stricter and alone while Redis is away."""

from __future__ import annotations

import hashlib
import math

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from kolray.clock import Clock, SystemClock
from kolray.errors import ServiceUnavailableError
from kolray.serving.problems import Problem
from kolray.serving.tokens import Token
from kolray.stores.rate_window import RateWindow

WINDOW_S = 60
ALONE = 4
"""Part of the limit (1/n) that one replica grants by itself while Redis is away."""


class RateLimiter:
    """At most ``rate_per_minute`` requests of a token in any 60 seconds.

    While Redis answers, that is exact over all replicas (see ``RateWindow``). While it does not, a replica grants a
    quarter of it by itself, and what it let through before counts: so four replicas that share the load evenly let no
    more through than before, and more of them may. Both texts of a token that is being rotated count together.
    """

    def __init__(self, shared: RateWindow, clock: Clock | None = None) -> None:
        self._shared, self._clock = shared, clock or SystemClock()
        self._alone = MovingWindowRateLimiter(MemoryStorage())

    def check(self, token: Token) -> dict[str, str]:
        """Counts one request; returns the standard headers.

        Raises:
            Problem: 429 with ``Retry-After`` when the limit is reached.
        """
        key = hashlib.sha256(token.name.encode()).hexdigest()[:32]
        limit = token.rate_per_minute
        try:
            granted, held, next_s = self._shared.take(key, limit)
        except ServiceUnavailableError:
            limit = max(1, limit // ALONE)
            granted, held, next_s = self._by_itself(key, limit)
        else:
            if granted:
                self._alone.hit(RateLimitItemPerSecond(max(1, limit // ALONE), WINDOW_S), key)
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
        return headers

    def _by_itself(self, key: str, limit: int) -> tuple[bool, int, float]:
        item = RateLimitItemPerSecond(limit, WINDOW_S)
        granted = self._alone.hit(item, key)
        stats = self._alone.get_window_stats(item, key)
        return granted, limit - stats.remaining, stats.reset_time - self._clock.now().timestamp()
