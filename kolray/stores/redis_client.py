"""What every part of the Redis store stands on: one client, batches, and one error while Redis is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from kolray.errors import ServiceUnavailableError
from kolray.settings import RedisSettings

PIPELINE = 2000
"""Commands sent together."""
SCRIPT_ROWS = 100
"""Rows one call of a script writes: Redis does nothing else meanwhile, for a millisecond or two."""


class RedisClient:
    """Every method raises ``ServiceUnavailableError`` while Redis is away."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._redis: Any = redis.Redis.from_url(
            settings.url, socket_timeout=5, socket_connect_timeout=2, decode_responses=False
        )

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError) as error:
            address = self._settings.url.rsplit("@", 1)[-1]  # never the password
            raise ServiceUnavailableError("Redis", address, "start it with `kolray up`") from error

    def _in_batches(self, rows: list[Any], add: Callable[[Any, Any], None]) -> None:
        with self._asking():
            for at in range(0, len(rows), PIPELINE):
                pipe = self._redis.pipeline(transaction=False)
                for row in rows[at : at + PIPELINE]:
                    add(pipe, row)
                pipe.execute()

    def ping(self) -> None:
        with self._asking():
            self._redis.ping()

    def close(self) -> None:
        self._redis.close()
