"""Answers kept in Redis for a few minutes; a Redis that is away costs nothing but the cache."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from prometheus_client import Counter
from pydantic import BaseModel
from starlette.responses import Response

from kolray.errors import ServiceUnavailableError
from kolray.serving.single_flight import SingleFlight
from kolray.stores.features import Cached, FeatureStore


def as_json(answer: BaseModel) -> bytes:
    """An answer as it is sent."""
    return answer.model_dump_json().encode()


def json_response(body: bytes) -> Response:
    """An answer that is JSON already, as the cache has it: checking and writing it again costs as much as a score."""
    return Response(body, media_type="application/json")


class AnswerCache:
    """Asks Redis first. Who asks for an answer that is being made in this process waits for that one.

    ``FeatureStore.cache_drop`` forgets a KOL's answers when a final window or a score of it arrives
    (``stream/sinks.py``, ``put_scores``): in Redis, so at once for all replicas, and after what caused it was written.
    An answer that was begun before is not kept. What stays possible: one that is on its way to its client meanwhile;
    and, where Redis was out of the writer's reach alone, answers of at most ``keep_s`` seconds.
    """

    def __init__(self, store: FeatureStore, keep_s: int, outcomes: Counter) -> None:
        self._store, self._keep_s, self._outcomes = store, keep_s, outcomes
        self._flights = SingleFlight()

    def get(self, kol_id: str, rest: str, make: Callable[[], BaseModel]) -> bytes:
        """A kept answer, or one made now and kept, as JSON; errors are not kept."""
        held = self._held(kol_id, rest)
        found = held is not None and held.answer is not None
        self._outcomes.labels("hit" if found else "miss").inc()
        if held is None:
            return self._flights.run((kol_id, rest, None), lambda: as_json(make()))
        if held.answer is not None:
            return held.answer
        lease = held.lease  # part of the key: what was begun before a drop is not for who asks after it
        return self._flights.run((kol_id, rest, lease), lambda: self._made(kol_id, rest, lease, make))

    def _made(self, kol_id: str, rest: str, lease: bytes, make: Callable[[], BaseModel]) -> bytes:
        answer = as_json(make())
        with suppress(ServiceUnavailableError):
            self._store.cache_put(kol_id, rest, answer, self._keep_s, lease)
        return answer

    def _held(self, kol_id: str, rest: str) -> Cached | None:
        if self._keep_s:
            with suppress(ServiceUnavailableError):
                return self._store.cache_get(kol_id, rest, self._keep_s)
        return None
