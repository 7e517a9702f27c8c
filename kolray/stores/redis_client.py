"""What every part of the Redis store stands on: one client, batches, and one error while Redis is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kolray.settings import RedisSettings
from kolray.stores.redis_connection import RedisConnection

Row = TypeVar("Row")
PIPELINE = 2000
"""Commands sent together."""
SCRIPT_ROWS = 20
"""Rows one call of a script writes: Redis does nothing else meanwhile, for a millisecond or two (hours of a KOL cost it
50 to 100 µs each)."""


class RedisClient:
    """Every method raises ``ServiceUnavailableError`` while Redis is away."""

    def __init__(self, settings: RedisSettings, connection: RedisConnection | None = None) -> None:
        self._settings = settings
        connection = connection or RedisConnection(settings)
        self._connection = connection
        self._redis, self._asking = connection.client, connection.asking

    def _in_batches(self, rows: list[Any], add: Callable[[Any, Any], None]) -> None:
        with self._asking():
            for at in range(0, len(rows), PIPELINE):
                pipe = self._redis.pipeline(transaction=False)
                for row in rows[at : at + PIPELINE]:
                    add(pipe, row)
                pipe.execute()

    def _by_script(self, rows: list[Row], call: Callable[[list[Row]], Any]) -> None:
        """``SCRIPT_ROWS`` a call, one call after the other: of those sent together Redis runs several at a stretch."""
        with self._asking():
            for at in range(0, len(rows), SCRIPT_ROWS):
                call(rows[at : at + SCRIPT_ROWS])

    @property
    def resting(self) -> bool:
        """Redis failed and is left alone for a moment."""
        return self._connection.resting

    def ping(self) -> None:
        with self._asking():
            self._redis.ping()

    def close(self) -> None:
        self._redis.close()
