"""The rate limit while Redis is away, and the headers; ``tests/integration/test_rate_limit.py`` has it on Redis."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from kolray.errors import ServiceUnavailableError
from kolray.serving.limiter import ALONE, RateLimiter
from kolray.serving.problems import Problem
from kolray.serving.tokens import Token
from kolray.stores.rate_window import Count
from kolray.testing.clock import FakeClock
from tests.silver import START

TOKEN = Token("app", "0" * 64, ("read",), 8, "2026-01-01T00:00:00+00:00")


class Shared:
    """A window in Redis that can go away."""

    def __init__(self) -> None:
        self.away, self.held = False, 0

    async def take(self, key: str, limit: int) -> tuple[Count, list[Any]]:
        if self.away:
            raise ServiceUnavailableError("Redis", "here", "start it")
        granted = self.held < limit
        self.held += granted
        return Count(granted, self.held, 12.3), []


def _check(limiter: RateLimiter) -> dict[str, str]:
    return asyncio.run(limiter.check(TOKEN)).headers


def _grants(limiter: RateLimiter, n: int) -> int:
    granted = 0
    for _ in range(n):
        with suppress(Problem):
            _check(limiter)
            granted += 1
    return granted


def test_headers_tell_what_is_left_and_when_there_is_more() -> None:
    limiter = RateLimiter(Shared())  # type: ignore[arg-type]
    assert _check(limiter) == {
        "RateLimit-Policy": "8;w=60",
        "RateLimit-Limit": "8",
        "RateLimit-Remaining": "7",
        "RateLimit-Reset": "13",
    }
    assert _grants(limiter, 7) == 7
    with pytest.raises(Problem, match="8 requests a minute are used up") as refused:
        _check(limiter)
    assert refused.value.headers["Retry-After"] == "13"
    assert refused.value.headers["RateLimit-Remaining"] == "0"


def test_without_redis_a_replica_grants_a_quarter() -> None:
    shared = Shared()
    shared.away = True
    limiter = RateLimiter(shared)  # type: ignore[arg-type]
    assert _check(limiter)["RateLimit-Limit"] == str(8 // ALONE)
    assert _grants(limiter, 10) == 1


def test_what_was_granted_before_redis_went_away_counts() -> None:
    shared = Shared()
    limiter = RateLimiter(shared)  # type: ignore[arg-type]
    assert _grants(limiter, 1) == 1
    shared.away = True
    assert _grants(limiter, 10) == 1


def test_what_was_granted_a_minute_ago_no_longer_counts() -> None:
    shared, clock = Shared(), FakeClock(START)
    shared.away = True
    limiter = RateLimiter(shared, clock)  # type: ignore[arg-type]
    assert _grants(limiter, 3) == 2
    clock.sleep(20)
    with pytest.raises(Problem) as refused:
        _check(limiter)
    assert refused.value.headers["Retry-After"] == "40"
    clock.sleep(40)
    assert _grants(limiter, 3) == 2
