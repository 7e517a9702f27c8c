"""Where a KOL's features may be found, and what a source that fails or dawdles may cost."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import polars as pl
from circuitbreaker import CircuitBreaker, CircuitBreakerError

from kolray.errors import ServiceUnavailableError
from kolray.features import FEATURE_SCHEMA
from kolray.lake.tables import LakeTables
from kolray.local.trino import CATALOG, ask
from kolray.serving.contracts import SourceName
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import MetricsStore

log = logging.getLogger(__name__)
FAILED = 3
"""Failures in a row after which a source is left alone."""
ALONE_S = 5
"""Seconds until it is asked again."""
WORKERS = 8
"""Requests that wait for one source at a time; those behind them wait within their own budget."""


@dataclass(frozen=True)
class Features:
    """One KOL's features by name with where they came from. ``stale``: older than features are kept for."""

    values: Mapping[str, Any]
    as_of: datetime
    source: SourceName
    stale: bool = False


class Source(Protocol):
    """Raises ``ServiceUnavailableError`` where it cannot answer; ``None`` means that it knows nothing of the KOL."""

    name: SourceName

    @property
    def resting(self) -> bool:
        """It failed and is left alone for a moment."""
        return False

    def read(self, kol_id: str) -> Features | None: ...


class RedisSource(Source):
    """What the lake's jobs published; the keys expire after ``KOLRAY_REDIS__FEATURE_TTL_S``.

    Its connection has the time budget and the breaker.
    """

    name: SourceName = "redis"

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    @property
    def resting(self) -> bool:
        return self._store.resting

    def read(self, kol_id: str) -> Features | None:
        held = self._store.get_features(kol_id)
        if held is None:
            return None
        return Features(held.values, held.as_of, self.name)


class StoreSource(Source):
    """The features that the newest score was made of, as the metrics store (Cassandra or SQLite) keeps them.

    Args:
        needed: names that a row must have to be of use: those a newer model knows are not in older scores.
    """

    name: SourceName = "metrics_store"

    def __init__(self, store: MetricsStore, needed: Callable[[], Sequence[str]]) -> None:
        self._store, self._needed = store, needed

    def read(self, kol_id: str) -> Features | None:
        scores = self._store.scores(kol_id)
        if not scores.height or scores["features"][0] is None:
            return None
        values = json.loads(scores["features"][0])
        if not set(self._needed()) <= values.keys():
            return None
        return Features(values, scores["as_of"][0], self.name)


class TrinoSource(Source):
    """``gold.features`` by a Trino at ``host:port`` whose catalog ``lake`` knows it."""

    name: SourceName = "trino"

    def __init__(self, address: str) -> None:
        self._address = address

    def read(self, kol_id: str) -> Features | None:
        quoted = kol_id.replace("'", "''")
        found = f"FROM {CATALOG}.gold.features WHERE kol_id = '{quoted}' ORDER BY as_of DESC LIMIT 1"
        rows = ask(self._address, f"SELECT {', '.join(FEATURE_SCHEMA)} {found}")
        if not rows:
            return None
        return _of(pl.DataFrame(rows, schema=FEATURE_SCHEMA, orient="row"), self.name)


class LakeSource(Source):
    """The newest row of ``gold.features``, read from the Delta table itself. It knows every KOL there is."""

    name: SourceName = "lake"

    def __init__(self, lake: LakeTables) -> None:
        self._lake = lake

    def read(self, kol_id: str, as_of: datetime | None = None) -> Features | None:
        """Of ``as_of``: as they could be known then."""
        rows = self._lake.scan("gold.features").filter(pl.col("kol_id") == kol_id)
        rows = rows if as_of is None else rows.filter(pl.col("as_of") <= as_of)
        newest = rows.sort("as_of").tail(1).collect()
        return _of(newest, self.name) if newest.height else None


def _of(frame: pl.DataFrame, source: SourceName) -> Features:
    row = frame.row(0, named=True)
    return Features(row, row["as_of"], source)


class Budgeted(Source):
    """A source that has so many seconds to answer, and rest after it failed ``FAILED`` times in a row."""

    def __init__(self, source: Source, budget_s: float) -> None:
        self.name = source.name
        self._budget_s = budget_s
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"lookup-{source.name}")
        self._breaker = CircuitBreaker(FAILED, ALONE_S, ServiceUnavailableError, name=source.name)
        self._read = self._breaker.decorate(self._within)
        self._source = source

    @property
    def resting(self) -> bool:
        return bool(self._breaker.opened)

    def read(self, kol_id: str) -> Features | None:
        """What the source says.

        Raises:
            ServiceUnavailableError: it failed, is late, or failed a moment ago.
        """
        try:
            found: Features | None = self._read(kol_id)
        except CircuitBreakerError as error:
            raise ServiceUnavailableError(self.name, "its circuit breaker", "it failed a moment ago") from error
        return found

    def _within(self, kol_id: str) -> Features | None:
        reading = self._workers.submit(self._source.read, kol_id)
        try:
            return reading.result(self._budget_s)
        except TooLate as error:
            reading.cancel()
            advice = f"no answer within {self._budget_s:g} s"
            log.warning("features could not be read from %s: %s", self.name, advice)
            raise ServiceUnavailableError(self.name, "this lookup", advice) from error
        except ServiceUnavailableError as error:
            log.warning("features could not be read from %s: %s", self.name, error)
            raise
        # Trino's client, an S3 store, a torn file: whatever it is, another source may answer.
        except Exception as error:
            log.exception("features could not be read from %s", self.name)
            raise ServiceUnavailableError(self.name, "this lookup", str(error)) from error
