"""A part of what is exported: read at most every few seconds, and a failure that is told instead of raised."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.registry import Collector

from kolray.observability.catalog import filled
from kolray.observability.metric import Family

log = logging.getLogger(__name__)
Read = Callable[[], Iterable[Family]]


class Parts(Collector):
    """Collects every part; one that cannot be read leaves ``kolray_export_failed`` and takes no other with it.

    Args:
        parts: name → reads the part's metrics.
        keep_s: seconds for which what was read is given again: the lake's logs are not worth reading each scrape.
    """

    def __init__(self, parts: dict[str, Read], keep_s: float = 0.0) -> None:
        self._parts, self._keep_s = parts, keep_s
        self._held: dict[str, tuple[float, list[Family]]] = {}

    def collect(self) -> Iterator[Family]:
        failed: list[tuple[tuple[str, ...], float | None]] = []
        for name, read in self._parts.items():
            try:
                families = self._fresh(name, read)
            # Whatever is wrong with one part, the others are what somebody needs to find out.
            except Exception:
                log.exception("the metrics of %s could not be read", name)
                families = []
            failed.append(((name,), float(not families)))
            yield from families
        yield filled("kolray_export_failed", failed)

    def describe(self) -> Iterable[Family]:
        """Nothing: reading everything to register would be too early."""
        return []

    def _fresh(self, name: str, read: Read) -> list[Family]:
        at, families = self._held.get(name, (float("-inf"), []))
        now = time.monotonic()
        if now - at > self._keep_s:
            families = list(read())
            self._held[name] = now, families
        return families
