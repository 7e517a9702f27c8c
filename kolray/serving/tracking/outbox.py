"""Brings hits to Kafka: journalled first, sent by one thread in batches, kept until the broker acknowledged them."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

import polars as pl
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from kolray.clock import Clock, SystemClock, to_ms
from kolray.errors import KolrayError, ServiceUnavailableError
from kolray.events import SCHEMAS
from kolray.serving.tracking.journal import Journal, Rows

log = logging.getLogger(__name__)
LINGER_S = 0.01
"""How long the sender waits for company after a first hit."""
ORPHANS_EVERY_S = 30.0

Send = Callable[[pl.DataFrame], None]
"""Events of ``SCHEMAS["web"]`` to Kafka; returns when it has them, else raises ``KolrayError``."""


class Waiting(NamedTuple):
    """Hits that Kafka does not have yet, and when the oldest came (seconds since the epoch; None: there is none)."""

    hits: int
    since_s: float | None


class Outbox:
    """Takes hits from any thread; a future tells when Kafka has them. At least once: ids make it once.

    ``counts``: hits so far by ``sent, taken_over`` (those of the sent that a dead process left) and ``no_room``.
    """

    def __init__(self, journal: Journal, send: Send, clock: Clock | None = None) -> None:
        self.journal, self._send, self._clock = journal, send, clock or SystemClock()
        self.counts: Counter[str] = Counter()
        self._first_s: float | None = None
        self._sending = Waiting(0, None)
        self._lock, self._filled, self._closing = threading.Lock(), threading.Event(), threading.Event()
        self._rows: Rows = []
        self._waiting: list[Future[None]] = []
        self._thread = threading.Thread(target=self._run, name="tracking-outbox", daemon=True)
        self._thread.start()

    def put(self, rows: Rows) -> Future[None]:
        """Keeps hits on disk, then returns; the future is done when Kafka has them.

        Raises:
            ServiceUnavailableError: no room is left on the disk or in the journal, or this process is ending.
        """
        sent: Future[None] = Future()
        with self._lock:
            if self._closing.is_set():
                raise ServiceUnavailableError("tracking", "this process", "it is ending; another takes hits")
            try:
                self.journal.append(rows)
            except ServiceUnavailableError:
                self.counts["no_room"] += len(rows)
                raise
            if not self._rows:
                self._first_s = to_ms(self._clock.now()) / 1000
            self._rows += rows
            self._waiting.append(sent)
        self._filled.set()
        return sent

    def close(self, wait_s: float = 5.0) -> None:
        """Sends what it can within ``wait_s``; the rest stays on disk."""
        self._closing.set()
        self._filled.set()
        self._thread.join(wait_s)
        self.journal.close()

    @property
    def waiting(self) -> Waiting:
        """What is on its way, those of dead processes too once their turn has come."""
        with self._lock:
            return Waiting(
                len(self._rows) + self._sending.hits,
                self._first_s if self._sending.since_s is None else self._sending.since_s,
            )

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        self._surely(self._take_over)
        while not self._closing.is_set():
            if self._filled.wait(ORPHANS_EVERY_S):
                self._closing.wait(LINGER_S)
                self._surely(self._next_batch)
            else:
                self._surely(self._take_over)
        self._surely(self._next_batch)

    def _surely(self, step: Callable[[], None]) -> None:
        """A disk that fails, or a home folder that is gone, does not end the thread that would go on after it."""
        try:
            step()
        except OSError as error:
            log.error("hits cannot be read or written on disk: %s", error)
            self._closing.wait(ORPHANS_EVERY_S)

    def _next_batch(self) -> None:
        with self._lock:
            taken = self.journal.rotate() if self._rows else None
            rows, waiting, self._rows, self._waiting = self._rows, self._waiting, [], []
            self._sending, self._first_s = Waiting(len(rows), self._first_s), None
            self._filled.clear()
        if taken is None:
            return
        try:
            taken.settle()  # without the lock: whoever answers a hit must not wait for a disk
        except OSError as error:
            log.error("hits cannot be written on disk, and go to Kafka without: %s", error)
        if self._deliver(rows):
            for sent in waiting:
                sent.set_result(None)
            self.journal.done(taken.path)

    def _take_over(self) -> None:
        for segment, rows in self.journal.orphans():
            log.warning("taking over %d hits that a dead process left in %s", len(rows), segment)
            if not rows:
                continue
            with self._lock:
                self._sending = Waiting(len(rows), segment.stat().st_mtime)
            if not self._deliver(rows):
                return
            self.counts["taken_over"] += len(rows)

    def _deliver(self, rows: Rows) -> bool:
        """Tries until the broker has them; False where this process ends before: they stay on disk."""
        frame = pl.DataFrame(rows, schema_overrides=SCHEMAS["web"]).select(*SCHEMAS["web"])
        attempts = Retrying(
            retry=retry_if_exception_type(KolrayError),
            wait=wait_random_exponential(0.2, max=5),
            stop=stop_when_event_set(self._closing),
            before_sleep=_waits,
            sleep=sleep_using_event(self._closing),
            reraise=True,
        )
        try:
            attempts(self._send, frame)
        except KolrayError:
            return False
        self.counts["sent"] += len(rows)
        with self._lock:
            self._sending = Waiting(0, None)
        return True


def _waits(state: RetryCallState) -> None:
    log.warning("hits wait for Kafka: %s", state.outcome.exception() if state.outcome else "")
