"""Upserts to the metrics store and Redis beside the stream: in order, bounded, repeated until they succeed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import BoundedSemaphore, Event, Lock
from typing import Protocol

import polars as pl

from kolray.errors import ServiceUnavailableError
from kolray.stores.metrics import MetricsStore, Version
from kolray.stores.refill import Refillable, refill
from kolray.stream.meters import Meters

log = logging.getLogger(__name__)

IN_FLIGHT = 8
"""Writes queued before the stream waits: that is the back-pressure."""
LOOK_S = 5.0
"""Seconds between looks whether Redis still has its memory."""
HOURS = "1h"
"""The windows by which engagement and growth are ranked."""
BEAT_S = 1.0
"""Seconds between heartbeats while the stream waits for a store."""


class LiveStore(Refillable, Protocol):
    """The part of the feature store the stream writes."""

    def claim_refill(self) -> bool: ...

    def filled(self) -> None: ...

    def cache_drop(self, kol_ids: list[str]) -> None: ...

    def sweep_rankings(self) -> int: ...

    def put_progress(self, rows: pl.DataFrame) -> None: ...

    def put_alerts(self, rows: pl.DataFrame) -> None: ...


class RowWriter(Protocol):
    """Where a partition's rows go; ``flush`` returns when all of them are durable."""

    def windows(self, rows: pl.DataFrame, version: Version) -> None: ...

    def alerts(self, rows: pl.DataFrame, version: Version) -> None: ...

    def refresh_live(self) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class StoreWriter:
    """One background thread, so that writes of a row keep their order.

    A store that is away is asked again with growing pauses; nothing is dropped, the stream waits.

    Args:
        beat: called while the stream waits, so that a slow store is not taken for a hang.
        meters: told what writes took.
    """

    def __init__(
        self,
        metrics: MetricsStore,
        live: LiveStore | None,
        beat: Callable[[], None] = lambda: None,
        meters: Meters | None = None,
    ) -> None:
        self._metrics, self._live, self._beat = metrics, live, beat
        self._meters = meters or Meters()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
        self._room = BoundedSemaphore(IN_FLIGHT)
        self._pending: list[Future[None]] = []
        self._stop, self._flushing = Event(), Lock()
        self._newest: list[pl.DataFrame] = []
        self._next_look = 0.0

    def windows(self, rows: pl.DataFrame, version: Version) -> None:
        """Window or pane rows (``WINDOW_SCHEMA``)."""
        if rows.height:
            self._submit(lambda: self._metrics.upsert_windows(rows, version))
            self._newest.append(rows)

    def alerts(self, rows: pl.DataFrame, version: Version) -> None:
        """Alert rows (``ALERT_SCHEMA``)."""
        if rows.height:
            self._submit(lambda: self._alert(rows, version))

    def _alert(self, rows: pl.DataFrame, version: Version) -> None:
        self._metrics.upsert_alerts(rows, version)
        if self._live is not None:
            self._live.put_alerts(rows)

    def refresh_live(self) -> None:
        """Sends the newest row of each (KOL, window) since the last call: only that is ever read; and closed hours.

        Also looks, every few seconds, whether Redis lost its memory, and whose last day changed by time alone.
        """
        if self._live is not None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_S
            self._submit(self._look)
        if self._newest and self._live is not None:
            rows = pl.concat(self._newest)
            self._submit(lambda: self._to_redis(rows))
        self._newest = []

    def _look(self) -> None:
        if self._live is not None and self._live.claim_refill():
            refill(self._metrics, self._live)
            self._live.filled()
        if self._live is not None:
            self._live.sweep_rankings()

    def _to_redis(self, rows: pl.DataFrame) -> None:
        if self._live is None:
            return
        self._live.put_live(rows.sort("window_start").unique(["kol_id", "window"], keep="last"))
        self._live.put_hours(rows.filter("final", window=HOURS))
        self._live.put_progress(rows)
        final = rows.filter("final")
        if final.height:
            self._live.cache_drop(final["kol_id"].unique().to_list())

    def _submit(self, write: Callable[[], None]) -> None:
        self._raise_failed()
        while not self._room.acquire(timeout=BEAT_S):
            self._beat()
        future = self._pool.submit(self._until_done, write)
        future.add_done_callback(lambda _: self._room.release())
        self._pending.append(future)

    def _until_done(self, write: Callable[[], None]) -> None:
        pause, started = 0.1, time.monotonic()
        while not self._stop.is_set():
            try:
                write()
                self._meters.writes.add(time.monotonic() - started)
                return
            except ServiceUnavailableError as error:
                self._meters.retries += 1
                log.warning("%s; trying again in %.1f s", error, pause)
                self._stop.wait(pause)
                pause = min(pause * 2, 5.0)
        return

    def _raise_failed(self) -> None:
        for future in [f for f in self._pending if f.done()]:
            self._pending.remove(future)
            future.result()

    def flush(self) -> None:
        """Returns when everything handed over is durable; raises what a write raised."""
        with self._flushing:  # partitions that share a writer make their checkpoints at once
            self.refresh_live()
            for future in self._pending:
                while wait([future], BEAT_S).not_done:
                    self._beat()
                future.result()
            self._pending = []

    def close(self) -> None:
        """Gives up what is still queued: only a snapshot makes it count, and none was taken."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
