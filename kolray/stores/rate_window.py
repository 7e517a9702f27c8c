"""How often something happened in the last seconds, counted in Redis: exactly, whoever and how many ask."""

from __future__ import annotations

from typing import Any, NamedTuple

from kolray.stores.redis_loop import Command, LoopRedis

_COUNT = """
local clock = redis.call('TIME')
local now, window, limit = clock[1] * 1000000 + clock[2], tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local held = redis.call('ZCARD', KEYS[1])
local granted = held < limit and 1 or 0
if granted == 1 then
  redis.call('ZADD', KEYS[1], now, string.format('%.0f:%d', now, held))
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {granted, held + granted, oldest[2] and oldest[2] + window - now or 0}
"""


class Count(NamedTuple):
    """Whether it was granted, how many count now, and the seconds until the oldest no longer does."""

    granted: bool
    held: int
    next_s: float


class RateWindow:
    """Grants at most ``limit`` in any ``window_s``, over all who ask this Redis.

    The time is Redis' own, so clocks of replicas do not matter; one script decides, so that nothing comes in between.
    Exact as long as Redis keeps what it acknowledged: one that restarts empty, or a replica that took over, forgets.
    """

    def __init__(self, redis: LoopRedis, window_s: float) -> None:
        self._redis = redis
        self._window_us = round(window_s * 1e6)

    async def take(self, key: str, limit: int, *more: Command) -> tuple[Count, list[Any]]:
        """Counts one under ``rate:{key}``, if it is granted; and the replies to ``more`` in the same round trip.

        Raises:
            ServiceUnavailableError: Redis is away.
        """
        counting: Command = ("EVAL", _COUNT, 1, f"rate:{key}", self._window_us, limit)
        (granted, held, next_us), *replies = await self._redis.ask(counting, *more)
        return Count(bool(granted), int(held), float(next_us) / 1e6), replies
