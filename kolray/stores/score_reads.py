"""What a score needs of Redis, as commands of one round trip on an event loop."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from kolray.stores.features import CACHED, KEEP, Cached, FeatureRow, cached, held_features, until
from kolray.stores.forecasts import HeldForecast, held_forecast
from kolray.stores.redis_loop import Command


class ScoreReads(NamedTuple):
    """What ``FeatureStore`` gives by ``get_features``, ``get_forecast`` and, where answers are kept, ``cache_get``."""

    features: FeatureRow | None
    forecast: HeldForecast | None
    kept: Cached | None

    @staticmethod
    def commands(kol_id: str, metric: str, rest: str, keep_s: int) -> list[Command]:
        """Args: of ``get_forecast`` and ``cache_get``; no ``keep_s``: no answer is kept.

        The lease comes first: what was read before it may be older than what the lease vouches for.
        """
        reads: list[Command] = [("GET", f"features:{kol_id}"), ("HGET", f"forecast:{kol_id}", metric)]
        if not keep_s:
            return reads
        return [("EVAL", CACHED, 1, f"cache:{kol_id}", rest, uuid.uuid4().bytes, keep_s), *reads]

    @staticmethod
    def among(commands: Sequence[Command]) -> bool:
        """Whether a KOL's features are asked for."""
        return any(name == "GET" and str(key).startswith("features:") for name, key, *_ in commands)

    @classmethod
    def of(cls, replies: Sequence[Any]) -> Self:
        """Of the replies to ``commands``."""
        *kept, features, forecast = replies
        return cls(
            None if features is None else held_features(features),
            None if forecast is None else held_forecast(forecast),
            cached(*kept[0]) if kept else None,
        )


def keep_command(kol_id: str, rest: str, answer: bytes, keep_s: int, lease: bytes) -> Command:
    """``FeatureStore.cache_put``."""
    return ("EVAL", KEEP, 1, f"cache:{kol_id}", lease, rest, until(keep_s) + answer, keep_s)
