"""Redis: features, scores, rankings (``rankings.py``), forecasts (``forecasts.py``), newest windows, response cache.

Keys: ``features:{kol}`` hash (expires), ``score:{kol}`` JSON, ``live:{kol}`` hash window → JSON, ``cache:{kol}`` hash
of answers (expires).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import polars as pl
from pydantic_core import from_json

from kolray.clock import from_ms, to_ms
from kolray.events import TIME, Columns
from kolray.settings import RedisSettings
from kolray.stores.alert_feed import AlertFeed
from kolray.stores.forecasts import Forecasts
from kolray.stores.rankings import Rankings
from kolray.stores.redis_client import PIPELINE
from kolray.stores.redis_connection import RedisConnection
from kolray.stores.stream_pulse import StreamPulse

PREFIXES = ("features", "score", "live", "forecast", "cache", "hours")
"""Of the keys that belong to one KOL."""
REFILL_S = 120
"""Seconds until another process may begin a refill that was not completed."""

CACHED = """
local held, lease = unpack(redis.call('HMGET', KEYS[1], ARGV[1], 'lease'))
if not lease then
  lease = ARGV[2]
  redis.call('HSET', KEYS[1], 'lease', lease)
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
return {held, lease}
"""
KEEP = """
if redis.call('HGET', KEYS[1], 'lease') == ARGV[1] then
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
"""


class Cached(NamedTuple):
    """An answer that was kept, or None; ``lease`` allows to keep one that is made now."""

    answer: bytes | None
    lease: bytes


class FeatureRow(NamedTuple):
    """Features of one KOL as they were at ``as_of``."""

    as_of: datetime
    values: dict[str, float | None]


class FeatureStore(Rankings, Forecasts, AlertFeed, StreamPulse):
    """Every method raises ``ServiceUnavailableError`` while Redis is away."""

    def __init__(self, settings: RedisSettings, connection: RedisConnection | None = None) -> None:
        super().__init__(settings, connection)
        self._cached = self._redis.register_script(CACHED)
        self._cache = self._redis.register_script(KEEP)

    def put_features(self, frame: pl.DataFrame) -> None:
        """``kol_id, as_of`` and one column a feature; replaces what was held, expires after ``feature_ttl_s``."""
        names = [c for c in frame.columns if c not in ("kol_id", "as_of")]

        def add(pipe: Any, row: dict[str, Any]) -> None:
            key = f"features:{row['kol_id']}"
            values = {name: row[name] for name in names}
            pipe.set(key, json.dumps({"as_of": to_ms(row["as_of"]), "values": values}), ex=self._settings.feature_ttl_s)

        self._in_batches(frame.to_dicts(), add)

    @property
    def feature_ttl(self) -> timedelta:
        """How old features may be."""
        return timedelta(seconds=self._settings.feature_ttl_s)

    def get_features(self, kol_id: str) -> FeatureRow | None:
        """None when there are none or they expired."""
        with self._asking():
            held = self._redis.get(f"features:{kol_id}")
        return None if held is None else held_features(held)

    def get_feature_rows(self, kol_ids: list[str], names: Sequence[str]) -> pl.DataFrame:
        """``kol_id, as_of`` and these features (Float64) of the KOLs that have any, read as columns."""
        values = pl.Struct(dict.fromkeys(names, pl.Float64))
        rows = self._columns("features", kol_ids, {"as_of": pl.Int64, "values": values}).unnest("values")
        return rows.with_columns(pl.col("as_of").cast(TIME))

    def _columns(self, prefix: str, kol_ids: list[str], fields: Columns) -> pl.DataFrame:
        """``kol_id`` and fields of the JSON objects held under ``prefix:kol_id``; no row where there is none."""
        held: list[bytes | None] = []
        with self._asking():
            for at in range(0, len(kol_ids), PIPELINE):
                held += self._redis.mget([f"{prefix}:{kol_id}" for kol_id in kol_ids[at : at + PIPELINE]])
        texts = pl.DataFrame({"kol_id": kol_ids, "held": held}, schema={"kol_id": pl.String, "held": pl.Binary})
        found = texts.drop_nulls("held").with_columns(pl.col("held").cast(pl.String))
        return found.with_columns(pl.col("held").str.json_decode(pl.Struct(fields))).unnest("held")

    def put_scores(self, scores: pl.DataFrame, kols: pl.DataFrame | None) -> None:
        """``SCORE_SCHEMA`` rows, also into the trust ranking; ``kols`` (``kol_id, platform, category``) places them.

        The features are not held twice: ``features:{kol}`` has them.
        """
        rows = scores.drop("features").with_columns(pl.col(pl.Datetime).dt.epoch("ms"))
        self._in_batches(rows.to_dicts(), lambda pipe, row: pipe.set(f"score:{row['kol_id']}", json.dumps(row)))
        if kols is not None:
            self.place(kols)
        self.put_ranking("trust", scores.select("kol_id", value="lower"))
        self.cache_drop(scores["kol_id"].to_list())

    def get_score(self, kol_id: str) -> dict[str, Any] | None:
        """The newest score with its times as aware datetimes."""
        with self._asking():
            held = self._redis.get(f"score:{kol_id}")
        if held is None:
            return None
        return _score(held)

    def get_scores(self, kol_ids: list[str]) -> dict[str, dict[str, Any]]:
        """``get_score`` of many in one round trip; those without a score are left out."""
        if not kol_ids:
            return {}
        with self._asking():
            held = self._redis.mget([f"score:{kol_id}" for kol_id in kol_ids])
        rows = (_score(value) for value in held if value is not None)
        return {row["kol_id"]: row for row in rows}

    def scored(self, kol_ids: list[str], also: Columns | None = None) -> pl.DataFrame:
        """``kol_id, model, as_of`` and further columns of ``SCORE_SCHEMA`` of the scores held, as columns."""
        rows = self._columns("score", kol_ids, {"model": pl.String, "as_of": pl.Int64, **(also or {})})
        return rows.with_columns(pl.col("as_of").cast(TIME))

    def put_live(self, rows: pl.DataFrame) -> None:
        """``WINDOW_SCHEMA`` rows; of each (kol, window) the newest ``window_start`` stays."""
        plain = rows.with_columns(pl.col("window_start").dt.epoch("ms"))
        texts = plain.select("window", "window_start", json=pl.struct(pl.exclude("kol_id")).struct.json_encode())
        self._put_newer(rows.select("live:" + pl.col("kol_id")).to_series().to_list(), texts.rows())

    def get_live(self, kol_id: str) -> list[dict[str, Any]]:
        """The newest row of each window kind, ``window_start`` as aware datetime."""
        return self.get_lives([kol_id])[kol_id]

    def get_lives(self, kol_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """``get_live`` of many in one round trip."""
        with self._asking():
            pipe = self._redis.pipeline(transaction=False)
            for kol_id in kol_ids:
                pipe.hgetall(f"live:{kol_id}")
            held = pipe.execute()
        return {kol_id: _live(fields) for kol_id, fields in zip(kol_ids, held, strict=True)}

    def cache_get(self, kol_id: str, rest: str, ttl_s: int) -> Cached:
        """An answer about a KOL that was kept; ``rest`` names it among its answers."""
        with self._asking():
            held, lease = self._cached(keys=[f"cache:{kol_id}"], args=[rest, uuid.uuid4().bytes, ttl_s])
        return cached(held, lease)

    def cache_put(self, kol_id: str, rest: str, value: bytes, ttl_s: int, lease: bytes) -> None:
        """Keeps an answer beside the others of its KOL: ``cache_drop`` has one key to delete.

        Args:
            lease: of the ``cache_get`` that came before the answer was made. Where ``cache_drop`` came in between, the
                answer may rest on what was known before, and is not kept.

        Each carries the time it expires at, as Redis before 7.4 lets only whole hashes expire.
        """
        with self._asking():
            self._cache(keys=[f"cache:{kol_id}"], args=[lease, rest, until(ttl_s) + value, ttl_s])

    def cache_drop(self, kol_ids: list[str]) -> None:
        """Forgets the answers about these KOLs, also those being made: all replicas share the cache, so from here on
        none gives an older one.
        """
        with self._asking():
            for at in range(0, len(kol_ids), PIPELINE):
                self._redis.unlink(*[f"cache:{kol_id}" for kol_id in kol_ids[at : at + PIPELINE]])

    def forget(self, kol_id: str) -> int:
        """Deletes everything of a KOL: features, score, live windows, forecasts, answers, ranks; returns how many."""
        with self._asking():
            keys = [f"{prefix}:{kol_id}" for prefix in PREFIXES]
            return int(self._redis.unlink(*keys)) + self._forget_ranks(kol_id) + self._forget_alerts(kol_id)

    def traces(self, kol_id: str) -> int:
        """How many keys and ranks of a KOL there are."""
        with self._asking():
            held = self._redis.exists(*(f"{prefix}:{kol_id}" for prefix in PREFIXES))
            return int(held) + self._rank_traces(kol_id) + len(self._alerts_of(kol_id))

    def claim_refill(self) -> bool:
        """Whether Redis is empty, or lost its memory, and nobody else is filling it: the caller does, then ``filled``.

        A key of its own tells it, not ``run_id``: a Redis that restarted with its memory needs nothing.
        """
        with self._asking():
            return not self._redis.exists("filled") and bool(self._redis.set("filling", 1, nx=True, ex=REFILL_S))

    def filled(self) -> None:
        """The refill is complete."""
        with self._asking():
            self._redis.set("filled", 1)
            self._redis.delete("filling")

    def run_id(self) -> str:
        """Changes when Redis restarted, with or without its memory."""
        with self._asking():
            return str(self._redis.info("server")["run_id"])


def held_features(text: bytes) -> FeatureRow:
    """As ``features:{kol}`` has them."""
    row = from_json(text)
    return FeatureRow(from_ms(row["as_of"]), row["values"])


def cached(held: bytes | None, lease: bytes) -> Cached:
    """Of what ``CACHED`` answers: a time (``until``) and the answer."""
    fresh = held is not None and int.from_bytes(held[:8]) > _now_ms()
    return Cached(held[8:] if held is not None and fresh else None, lease)


def until(ttl_s: int) -> bytes:
    """The time at which an answer that is kept now expires."""
    return (_now_ms() + ttl_s * 1000).to_bytes(8)


def _live(held: Mapping[bytes, bytes]) -> list[dict[str, Any]]:
    rows = [json.loads(value) for field, value in held.items() if not field.endswith(b":at")]
    return [row | {"window_start": from_ms(row["window_start"])} for row in rows]


def _score(held: bytes) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(held)
    times = {name: row[name] for name in ("as_of", "scored_at") if row.get(name) is not None}
    return row | {name: from_ms(ms) for name, ms in times.items()}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
