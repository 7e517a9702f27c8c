"""Answers kept in Redis for a few minutes; a Redis that is away costs nothing but the cache."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from prometheus_client import Counter
from pydantic import BaseModel

from kolray.errors import ServiceUnavailableError
from kolray.stores.features import FeatureStore

Answer = TypeVar("Answer", bound=BaseModel)


class AnswerCache:
    """Asks Redis first; ``FeatureStore.cache_drop`` forgets a KOL's answers when its scores change."""

    def __init__(self, store: FeatureStore, keep_s: int, outcomes: Counter) -> None:
        self._store, self._keep_s, self._outcomes = store, keep_s, outcomes

    def get(self, kol_id: str, rest: str, model: type[Answer], make: Callable[[], Answer]) -> Answer:
        """A kept answer, or one made now and kept; errors are not kept."""
        held = self._held(kol_id, rest)
        self._outcomes.labels("miss" if held is None else "hit").inc()
        if held is not None:
            return model.model_validate_json(held)
        answer = make()
        if self._keep_s:
            with suppress(ServiceUnavailableError):
                self._store.cache_put(kol_id, rest, answer.model_dump_json().encode(), self._keep_s)
        return answer

    def _held(self, kol_id: str, rest: str) -> bytes | None:
        if self._keep_s:
            with suppress(ServiceUnavailableError):
                return self._store.cache_get(kol_id, rest)
        return None
