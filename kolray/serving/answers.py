"""Answers kept in Redis for a few minutes; a Redis that is away costs nothing but the cache."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from urllib.parse import quote

from prometheus_client import Counter
from pydantic import BaseModel

from kolray.errors import ServiceUnavailableError
from kolray.stores.features import FeatureStore

Answer = TypeVar("Answer", bound=BaseModel)


class AnswerCache:
    """Keys begin with the KOL's id, quoted since an id may hold a colon; ``FeatureStore.cache_drop`` finds them."""

    def __init__(self, store: FeatureStore, keep_s: int, outcomes: Counter) -> None:
        self._store, self._keep_s, self._outcomes = store, keep_s, outcomes

    def get(self, kol_id: str, rest: str, model: type[Answer], make: Callable[[], Answer]) -> Answer:
        """A kept answer, or one made now and kept; errors are not kept."""
        key = f"{quote(kol_id, safe='')}:{rest}"
        held = self._held(key)
        self._outcomes.labels("miss" if held is None else "hit").inc()
        if held is not None:
            return model.model_validate_json(held)
        answer = make()
        if self._keep_s:
            with suppress(ServiceUnavailableError):
                self._store.cache_put(key, answer.model_dump_json().encode(), self._keep_s)
        return answer

    def _held(self, key: str) -> bytes | None:
        if self._keep_s:
            with suppress(ServiceUnavailableError):
                return self._store.cache_get(key)
        return None
