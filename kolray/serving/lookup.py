"""A KOL's features: Redis, then the metrics store, then the lake (by Trino where there is one)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Self

from prometheus_client import CollectorRegistry

from kolray.clock import Clock
from kolray.errors import NotFoundError, ServiceUnavailableError
from kolray.lake.tables import LakeTables
from kolray.observability.catalog import CATALOG
from kolray.serving.contracts import SourceName
from kolray.serving.feature_sources import (
    Budgeted,
    Features,
    LakeSource,
    RedisSource,
    Source,
    StoreSource,
    TrinoSource,
)
from kolray.serving.single_flight import SingleFlight
from kolray.settings import Settings
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import MetricsStore

OUTCOMES = ("found", "unknown", "failed")


class FeatureLookup:
    """Asks one source after the other until one has fresh features, each within its own time.

    Features older than ``fresh_for`` are used only where no source has newer ones, and say so (``stale``). Behind the
    first source, whoever asks for a KOL that is being looked up waits for that answer.

    Args:
        sources: the quickest first; the last knows every KOL, so that only its silence means there is none.
        past: reads features as of a time.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        past: Callable[[str, datetime], Features | None],
        fresh_for: timedelta,
        clock: Clock,
    ) -> None:
        self._first, *self._others = self.all = tuple(sources)
        self.registry = CollectorRegistry()
        asked = CATALOG["kolray_lookup_total"].counter(self.registry)
        self._asked = {(s.name, found): asked.labels(s.name, found) for s in sources for found in OUTCOMES}
        self._past, self._fresh_for, self._clock = past, fresh_for, clock
        self._flights = SingleFlight()

    @classmethod
    def of(
        cls,
        settings: Settings,
        redis: FeatureStore,
        store: MetricsStore,
        lake: LakeTables,
        needed: Callable[[], Sequence[str]],
        clock: Clock,
    ) -> Self:
        """Over the stores of the settings. ``needed``: the features the model in use asks for."""
        serving, files = settings.serving, LakeSource(lake)
        slow = [Budgeted(StoreSource(store, needed), serving.store_timeout_s)]
        if serving.trino is not None:
            slow.append(Budgeted(TrinoSource(serving.trino), serving.lake_timeout_s))
        slow.append(Budgeted(files, serving.lake_timeout_s))
        fresh_for = timedelta(seconds=settings.redis.feature_ttl_s)
        return cls([RedisSource(redis), *slow], files.read, fresh_for, clock)

    def features(self, kol_id: str, as_of: datetime | None = None) -> Features:
        """The newest that are known, or, of the lake, those that were known at ``as_of``.

        Raises:
            NotFoundError: there are none.
            ServiceUnavailableError: no source that answers has any, and the one that knows every KOL does not answer.
        """
        if as_of is not None:
            return _known(self._past(kol_id, as_of), f"{kol_id!r} as of {as_of}")
        held, failure = self._ask(self._first, kol_id)
        if held is not None and self._fresh(held):
            return held
        return self._flights.run(kol_id, lambda: self._search(kol_id, held, failure))

    def _search(self, kol_id: str, best: Features | None, failure: ServiceUnavailableError | None) -> Features:
        for source in self._others:
            found, failure = self._ask(source, kol_id)
            if found is not None and self._fresh(found):
                return found
            if best is None or (found is not None and found.as_of > best.as_of):
                best = found
        if best is None and failure is not None:
            raise failure
        return replace(_known(best, repr(kol_id)), stale=True)

    def counted(self, source: SourceName) -> None:
        """That a source was asked by somebody else and knew."""
        self._asked[source, "found"].inc()

    def _ask(self, source: Source, kol_id: str) -> tuple[Features | None, ServiceUnavailableError | None]:
        try:
            found = source.read(kol_id)
        except ServiceUnavailableError as error:
            self._asked[source.name, "failed"].inc()
            return None, error
        self._asked[source.name, "unknown" if found is None else "found"].inc()
        return found, None

    def _fresh(self, features: Features) -> bool:
        return self._clock.now() - features.as_of <= self._fresh_for


def _known(found: Features | None, who: str) -> Features:
    if found is None:
        raise NotFoundError(f"nothing is known about the KOL {who}")
    return found
