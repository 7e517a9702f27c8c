"""Forecasts in Redis: what the batch made of each KOL, and how far the stream has come.

Keys: ``forecast:{kol}`` hash metric → JSON (expires), ``newest:event`` ms of what the stream saw last.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import polars as pl
from pydantic_core import from_json

from kolray.clock import from_ms
from kolray.settings import RedisSettings
from kolray.stores.redis_client import PIPELINE, SCRIPT_ROWS, RedisClient
from kolray.stores.redis_connection import RedisConnection

KEEP_S = 2 * 86_400
"""A batch comes each night; one that is two days old forecasts nothing that is still to come."""
HOUR_MS = 3_600_000
NEWEST = "newest:event"
MARKS = (NEWEST, "ranking:hour")
_NEWER = """
for n, key in ipairs(KEYS) do
  local field, at, row = ARGV[3 * n - 2], ARGV[3 * n - 1], ARGV[3 * n]
  local held = redis.call('HGET', key, field .. ':at')
  if not held or tonumber(held) <= tonumber(at) then
    redis.call('HSET', key, field, row, field .. ':at', at)
  end
end
"""
_LATER = """
local held = redis.call('GET', KEYS[1])
if not held or tonumber(held) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
"""


class HeldForecast(NamedTuple):
    """A batch forecast of a KOL's metric: the hours from ``origin`` on, each with its 90 % interval."""

    origin: datetime
    model: str
    value: list[float]
    lower: list[float]
    upper: list[float]

    @property
    def total(self) -> float:
        """Of all its hours."""
        return round(sum(self.value), 1)


class Progress(NamedTuple):
    """How far the stream came: some event is as new as ``newest_event``, hours that ended by ``closed`` are final."""

    newest_event: datetime
    closed: datetime


class Forecasts(RedisClient):
    """The forecasting part of the feature store."""

    def __init__(self, settings: RedisSettings, connection: RedisConnection | None = None) -> None:
        super().__init__(settings, connection)
        self._newer = self._redis.register_script(_NEWER)
        self._later = self._redis.register_script(_LATER)

    def put_forecasts(self, rows: pl.DataFrame) -> None:
        """``kol_id, metric, origin, model`` and ``value, lower, upper`` as lists, an hour each from ``origin`` on.

        Of each (kol, metric) the one with the newest origin stays, for ``KEEP_S`` seconds.
        """
        points = pl.col("value", "lower", "upper").list.eval(pl.element().cast(pl.Float64).round(2))
        plain = rows.with_columns(points, pl.col("origin").dt.epoch("ms"))
        texts = plain.select("metric", "origin", json=pl.struct(pl.exclude("kol_id", "metric")).struct.json_encode())
        keys = rows.select("forecast:" + pl.col("kol_id")).to_series().to_list()
        self._put_newer(keys, texts.rows())
        self._in_batches(list(dict.fromkeys(keys)), lambda pipe, key: pipe.expire(key, KEEP_S))

    def get_forecast(self, kol_id: str, metric: str) -> HeldForecast | None:
        """None when there is none or it expired."""
        return self.get_forecasts([kol_id], metric).get(kol_id)

    def get_forecasts(self, kol_ids: list[str], metric: str) -> dict[str, HeldForecast]:
        """``get_forecast`` of many in one round trip; those without one are left out."""
        with self._asking():
            pipe = self._redis.pipeline(transaction=False)
            for kol_id in kol_ids:
                pipe.hget(f"forecast:{kol_id}", metric)
            held = pipe.execute()
        return {kol_id: held_forecast(text) for kol_id, text in zip(kol_ids, held, strict=True) if text is not None}

    def get_forecast_and_progress(self, kol_id: str, metric: str) -> tuple[HeldForecast | None, Progress | None]:
        """``get_forecast`` and ``progress`` in one round trip."""
        with self._asking():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(f"forecast:{kol_id}", metric)
            pipe.mget(MARKS)
            held, marks = pipe.execute()
        return None if held is None else held_forecast(held), _progress(*marks)

    def put_progress(self, rows: pl.DataFrame) -> None:
        """Rows of ``WINDOW_SCHEMA`` with events in them; an older one than what is held changes nothing."""
        newest = rows["window_start"].dt.epoch("ms").max()
        if newest is not None:
            with self._asking():
                self._later(keys=[NEWEST], args=[newest])

    def progress(self) -> Progress | None:
        """None while no stream has closed an hour, or Redis lost its memory."""
        with self._asking():
            return _progress(*self._redis.mget(MARKS))

    def _put_newer(self, keys: list[str], rows: list[tuple[Any, ...]]) -> None:
        """(field, time, text) into the hash of each key, unless it holds a newer one under that field."""
        pairs = list(zip(keys, rows, strict=True))
        parts = [pairs[at : at + SCRIPT_ROWS] for at in range(0, len(pairs), SCRIPT_ROWS)]

        def add(pipe: Any, part: list[tuple[str, tuple[Any, ...]]]) -> None:
            self._newer(keys=[key for key, _ in part], args=[value for _, row in part for value in row], client=pipe)

        self._in_batches(parts, add, PIPELINE // SCRIPT_ROWS)


def held_forecast(text: bytes) -> HeldForecast:
    """As ``forecast:{kol}`` has it."""
    row = from_json(text)
    return HeldForecast(from_ms(row["origin"]), row["model"], row["value"], row["lower"], row["upper"])


def _progress(newest: bytes | None, hour: bytes | None) -> Progress | None:
    if newest is None or hour is None:
        return None
    return Progress(from_ms(int(newest)), from_ms((int(hour) + 1) * HOUR_MS))
