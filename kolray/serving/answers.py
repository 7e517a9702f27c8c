"""Answers kept in Redis for a few minutes; a Redis that is away costs nothing but the cache."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from prometheus_client import Counter
from pydantic import BaseModel
from starlette.responses import Response

from kolray.errors import ServiceUnavailableError
from kolray.serving.contracts import ForecastAnswer, ScoreAnswer
from kolray.serving.single_flight import SingleFlight
from kolray.stores.features import FeatureStore


def as_json(answer: BaseModel) -> bytes:
    """An answer as it is sent."""
    return answer.model_dump_json().encode()


def json_response(body: bytes) -> Response:
    """An answer that is JSON already, as the cache has it: checking and writing it again costs as much as a score."""
    return Response(body, media_type="application/json")


class Key(NamedTuple):
    """Under which an answer about a KOL is kept: ``what`` it is, and the model it has to be by."""

    kol_id: str
    what: str
    model: str

    @property
    def rest(self) -> str:
        """Its name among the answers about its KOL."""
        return f"{self.what}:{self.model}"


Answer = ScoreAnswer | ForecastAnswer


class AnswerCache:
    """Asks Redis first. Who asks for an answer that is being made in this process waits for that one.

    ``FeatureStore.cache_drop`` forgets a KOL's answers when a final window or a score of it arrives
    (``stream/sinks.py``, ``put_scores``): in Redis, so at once for all replicas, and after what caused it was written.
    An answer that was begun before is not kept, nor one by another model than was asked for: a trial may end, or a
    challenger fail, meanwhile. What stays possible: one that is on its way to its client meanwhile; and, where Redis
    was out of the writer's reach alone, answers of at most ``keep_s`` seconds.
    """

    def __init__(self, store: FeatureStore, keep_s: int, outcomes: Counter) -> None:
        self._store, self._keep_s, self._outcomes = store, keep_s, outcomes
        self._flights = SingleFlight()

    def get(self, key: Key, make: Callable[[], Answer]) -> bytes:
        """A kept answer, or one made now and kept, as JSON; errors are not kept."""
        answer, lease = self._held(key)
        self._outcomes.labels("miss" if answer is None else "hit").inc()
        return self.made(key, lease, make) if answer is None else answer

    def made(self, key: Key, lease: bytes | None, make: Callable[[], Answer]) -> bytes:
        """An answer made now, as JSON, and kept where there is a lease."""
        # the lease is part of the key: what was begun before a drop is not for who asks after it
        return self._flights.run((key, lease), lambda: self._kept(key, lease, make()))

    def _kept(self, key: Key, lease: bytes | None, answer: Answer) -> bytes:
        body = as_json(answer)
        if lease is not None and answer.model == key.model:
            with suppress(ServiceUnavailableError):
                self._store.cache_put(key.kol_id, key.rest, body, self._keep_s, lease)
        return body

    def _held(self, key: Key) -> tuple[bytes | None, bytes | None]:
        """An answer, or a lease to keep one by, or neither."""
        if self._keep_s:
            with suppress(ServiceUnavailableError):
                return self._store.cache_get(key.kol_id, key.rest, self._keep_s)
        return None, None
