"""What every part of the Redis store stands on: one client, batches, and one error while Redis is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kolray.settings import RedisSettings
from kolray.stores.redis_connection import RedisConnection

PIPELINE = 2000
"""Commands sent together."""
SCRIPT_ROWS = 100
"""Rows one call of a script writes where a row costs Redis some microseconds: it does nothing else meanwhile."""


class RedisClient:
    """Every method raises ``ServiceUnavailableError`` while Redis is away."""

    def __init__(self, settings: RedisSettings, connection: RedisConnection | None = None) -> None:
        self._settings = settings
        connection = connection or RedisConnection(settings)
        self._connection = connection
        self._redis, self._asking = connection.client, connection.asking

    def _in_batches(self, rows: list[Any], add: Callable[[Any, Any], None], together: int = PIPELINE) -> None:
        with self._asking():
            for at in range(0, len(rows), together):
                pipe = self._redis.pipeline(transaction=False)
                for row in rows[at : at + together]:
                    add(pipe, row)
                pipe.execute()

    @property
    def resting(self) -> bool:
        """Redis failed and is left alone for a moment."""
        return self._connection.resting

    def ping(self) -> None:
        with self._asking():
            self._redis.ping()

    def close(self) -> None:
        self._redis.close()
