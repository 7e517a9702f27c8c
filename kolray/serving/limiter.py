"""Requests a minute for each token: counted in Redis over all replicas, stricter and alone while Redis is away."""

from __future__ import annotations

import math

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from kolray.clock import Clock, SystemClock
from kolray.serving.problems import Problem
from kolray.serving.tokens import Token

ALONE = 4
"""Part of the limit (1/n) that one replica grants by itself while Redis is away."""


class RateLimiter:
    """Counts requests of a token in a moving window of one minute."""

    def __init__(self, redis_url: str, clock: Clock | None = None) -> None:
        self._shared = MovingWindowRateLimiter(RedisStorage(redis_url))
        self._alone = MovingWindowRateLimiter(MemoryStorage())
        self._clock = clock or SystemClock()

    def check(self, token: Token) -> dict[str, str]:
        """Counts one request; returns the standard headers.

        Raises:
            Problem: 429 with ``Retry-After`` when the limit is reached.
        """
        limiter, limit = self._shared, RateLimitItemPerMinute(token.rate_per_minute)
        try:
            allowed = limiter.hit(limit, token.digest)
            stats = limiter.get_window_stats(limit, token.digest)
        except Exception:
            limiter, limit = self._alone, RateLimitItemPerMinute(max(1, token.rate_per_minute // ALONE))
            allowed = limiter.hit(limit, token.digest)
            stats = limiter.get_window_stats(limit, token.digest)
        wait_s = max(1, math.ceil(stats.reset_time - self._clock.now().timestamp()))
        headers = {
            "RateLimit-Limit": str(limit.amount),
            "RateLimit-Remaining": str(max(0, stats.remaining)),
            "RateLimit-Reset": str(wait_s),
        }
        if not allowed:
            detail = f"{limit.amount} requests a minute are used up; try again in {wait_s} s"
            raise Problem(429, "Too many requests", detail, headers | {"Retry-After": str(wait_s)})
        return headers
