"""What the stream says about itself, in Redis: for dashboards on other machines than the supervisor's.

``stream:status`` is the newest report, ``stream:pulse`` what it had read by each of the last seconds.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from kolray.stores.redis_client import RedisClient

STATUS, PULSE = "stream:status", "stream:pulse"
KEPT = 300
"""Beats that stay: five minutes at one a second."""
KEEP_S = 7 * 86_400
"""How long the last report outlives a stream that ended."""


class Beat(NamedTuple):
    """A moment of the stream: events read since it began, and records still to be read. ``at`` in unix seconds."""

    at: float
    events: int
    lag: int


class StreamPulse(RedisClient):
    """The stream's part of the feature store: written once a second, read by whoever shows it."""

    def put_stream(self, published: dict[str, Any]) -> None:
        """A report of ``stream.status``; replaces the one before, and adds a beat."""
        parts = [part for shard in published["shards"] for part in shard["partitions"].values()]
        beat = Beat(published["at"], sum(p["events"] for p in parts), sum(p["lag"] or 0 for p in parts))
        with self._asking():
            pipe = self._redis.pipeline(transaction=False)
            pipe.set(STATUS, json.dumps(published), ex=KEEP_S)
            pipe.lpush(PULSE, json.dumps(beat))
            pipe.ltrim(PULSE, 0, KEPT - 1)
            pipe.expire(PULSE, KEEP_S)
            pipe.execute()

    def stream_status(self) -> dict[str, Any] | None:
        """The newest report; None where no stream has run."""
        with self._asking():
            held = self._redis.get(STATUS)
        return None if held is None else dict(json.loads(held))

    def stream_beats(self, limit: int = KEPT) -> list[Beat]:
        """Oldest first."""
        with self._asking():
            held = self._redis.lrange(PULSE, 0, limit - 1)
        return [Beat(*json.loads(each)) for each in reversed(held)]
