"""A part of what is exported: read at most every few seconds, and a failure that is told instead of raised."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

from prometheus_client.registry import Collector

from kolray.errors import KolrayError
from kolray.observability.catalog import filled
from kolray.observability.metric import Family

log = logging.getLogger(__name__)
Read = Callable[[], Iterable[Family]]


class Aside:
    """Reads on a thread of its own: a server that is away makes no scrape wait, which is told what is known.

    Args:
        every_s: seconds between two reads.
        first_s: seconds that the first scrape waits for the first read.
    """

    def __init__(self, read: Read, every_s: float = 0.0, first_s: float = 5.0) -> None:
        self._read, self._every_s, self._first_s = read, every_s, first_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aside")
        self._asked: Future[list[Family]] | None = None
        self._done: Future[list[Family]] | None = None
        self._at = float("-inf")

    def __call__(self) -> list[Family]:
        """What was read last.

        Raises:
            Exception: what the last read raised.
            TimeoutError: none has ended yet.
        """
        if self._asked is None and time.monotonic() - self._at >= self._every_s:
            self._asked, self._at = self._thread.submit(lambda: list(self._read())), time.monotonic()
        if self._asked is not None:
            wait([self._asked], self._first_s if self._done is None else 0)
            if self._asked.done():
                self._done, self._asked = self._asked, None
        if self._done is None:
            raise TimeoutError(f"no answer within {self._first_s:g} s")
        return self._done.result()


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
            except KolrayError as error:  # it says all there is to say, every few seconds while a server is away
                log.warning("the metrics of %s could not be read: %s", name, error)
                families = []
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
