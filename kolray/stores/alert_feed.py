"""The newest alerts in Redis, in the order in which they came, for live readers. The metrics store has them all."""

from __future__ import annotations

from typing import Any

import polars as pl

from kolray.settings import RedisSettings
from kolray.stores.redis_client import RedisClient
from kolray.stores.redis_connection import RedisConnection

KEPT = 10_000
"""Alerts that stay, roughly: who was away for longer asks ``/alerts``."""
START = "0-0"
FEED, SEEN = "alerts:feed", "alerts:seen"
_ADD = """
local now = redis.call('TIME')
for i = 2, #ARGV, 3 do
  if redis.call('ZADD', KEYS[2], 'NX', now[1], ARGV[i]) == 1 then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'id', ARGV[i], 'kol', ARGV[i + 1], 'alert', ARGV[i + 2])
  end
end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -2 * ARGV[1] - 1)
"""


class AlertFeed(RedisClient):
    """The alert part of the feature store. A place is the id of an entry: ``MS-N`` by Redis' clock."""

    def __init__(self, settings: RedisSettings, connection: RedisConnection | None = None) -> None:
        super().__init__(settings, connection)
        self._add = self._redis.register_script(_ADD)

    def put_alerts(self, rows: pl.DataFrame) -> None:
        """Rows of ``ALERT_SCHEMA``, behind those there are; an alert that came before does not come again."""
        times = pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        texts = rows.with_columns(times).select("alert_id", "kol_id", json=pl.struct(pl.all()).struct.json_encode())
        if texts.height:
            with self._asking():
                self._add(keys=[FEED, SEEN], args=[KEPT, *(value for row in texts.rows() for value in row)])

    def newest_alert(self) -> str:
        """The place of the newest."""
        with self._asking():
            held = self._redis.xrevrange(FEED, count=1)
        return held[0][0].decode() if held else START

    def alerts_after(self, place: str, limit: int) -> list[tuple[str, str]]:
        """(place, alert as JSON) of those behind a place, oldest first.

        A place beyond the newest is one of a Redis that lost its memory: everything counts as behind it.
        """
        if _numbers(place) > _numbers(self.newest_alert()):
            place = START
        with self._asking():
            held = self._redis.xrange(FEED, min=f"({place}", count=limit)
        return [(at.decode(), entry[b"alert"].decode()) for at, entry in held]

    def _forget_alerts(self, kol_id: str) -> int:
        gone = self._alerts_of(kol_id)
        if gone:
            self._redis.xdel(FEED, *gone)
        return len(gone)

    def _alerts_of(self, kol_id: str) -> list[Any]:
        return [at for at, entry in self._redis.xrange(FEED) if entry[b"kol"].decode().strip() == kol_id]


def _numbers(place: str) -> tuple[int, ...]:
    return tuple(int(part) for part in place.split("-"))
