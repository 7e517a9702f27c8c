"""Scores KOLs whose windows closed: in a thread of its own that never makes a window wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import Any

import polars as pl

from kolray.errors import NotFoundError, ServiceUnavailableError
from kolray.observability.catalog import LONGER, POINTS
from kolray.observability.tally import Tally
from kolray.protocols import BatchScorer
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import SCORE_SCHEMA, MetricsStore
from kolray.stream.denied import DenyList

log = logging.getLogger(__name__)

PAUSE_S = 1.0
"""Shortest pause between batches: while a backlog is read, windows close without end."""
REST = 4
"""The pause is at least so many times what the batch took: scoring costs a fifth of a core at most."""
RETRY_S = 5.0
BEAT_S = 1.0
CLOSE_S = 5.0
"""Longest wait for the batch at work when a shard ends: it may not look like a hang."""


class Waiting:
    """KOLs to be scored, by partition: one that is waiting already is not added, so this is never longer than them."""

    def __init__(self) -> None:
        self._kols: dict[int, tuple[pl.Series, float]] = {}

    def add(self, partition: int, kol_ids: pl.Series, since: float | None = None) -> None:
        """Behind those that wait. ``since``: when they began to, by the monotonic clock; none: now."""
        now = time.monotonic()
        held, first = self._kols.get(partition, (kol_ids.clear(), now))
        self._kols[partition] = pl.concat([held, kol_ids]).unique(), min(first, now if since is None else since)

    def take(self) -> tuple[int, pl.Series, float]:
        """All KOLs of the partition that was added first, and since when they wait."""
        partition = next(iter(self._kols))
        return partition, *self._kols.pop(partition)

    @property
    def since(self) -> float | None:
        """When who waits longest began to; None where nobody does."""
        return min((since for _, since in self._kols.values()), default=None)

    def __len__(self) -> int:
        return sum(len(kol_ids) for kol_ids, _ in self._kols.values())


class Scoring:
    """One thread a shard; scorer and stores are opened in it, at the first batch.

    Scores may be lost by a crash and are made again when the KOL's next window closes.

    Args:
        make: the scorer.
        open_metrics, open_live: stores of the thread's own.
        denied: KOLs that were erased, and are not scored; none: nobody.
    """

    def __init__(
        self,
        make: Callable[[], BatchScorer],
        open_metrics: Callable[[], MetricsStore],
        open_live: Callable[[], FeatureStore],
        denied: DenyList | None = None,
    ) -> None:
        self._make, self._open_metrics, self._open_live, self._denied = make, open_metrics, open_live, denied
        self._parts: tuple[BatchScorer, MetricsStore, FeatureStore] | None = None
        self._waiting = Waiting()
        self._turn = Condition()
        self._draining = self._stopping = self._told = False
        self._at_work: float | None = None
        """Since when those wait who are being scored."""
        self._thread: Thread | None = None
        self.scored = self.failed = 0
        """Scores written, and batches that failed or have to wait for a store."""
        self._seconds, self._points = Tally(LONGER), Tally(POINTS)

    def closed(self, partition: int, kol_ids: pl.Series) -> None:
        """Windows of these KOLs closed. Returns at once."""
        with self._turn:
            self._waiting.add(partition, kol_ids)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="scoring", daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def drain(self, beat: Callable[[], None] = lambda: None) -> None:
        """Returns when every KOL that waits was scored, or could not be; ``beat`` is called meanwhile."""
        with self._turn:
            self._draining = True
            self._turn.notify_all()
            while self._waiting or self._at_work is not None:
                self._turn.wait(BEAT_S)
                beat()
            self._draining = False

    def told(self) -> dict[str, Any]:
        """As a shard's status has it."""
        with self._turn:
            waiting, since = len(self._waiting), [self._waiting.since, self._at_work]
        told: dict[str, Any] = {"scored": self.scored, "failed": self.failed}
        told |= {"seconds": self._seconds.told(), "points": self._points.told()}
        oldest_s = max((time.monotonic() - at for at in since if at is not None), default=0.0)
        return told | {"waiting": waiting, "oldest_s": round(oldest_s, 1)}

    def close(self) -> None:
        """Ends the thread after its batch; who still waits is forgotten."""
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():
                return  # a call that does not come back; the thread ends with the process
        if self._parts is not None:
            self._parts[1].close()
            self._parts[2].close()

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._stopping or self._waiting)
                if self._stopping:
                    return
                partition, kol_ids, since = self._waiting.take()
                self._at_work = since
            started = time.monotonic()
            again = self._attempt(kol_ids)
            took = time.monotonic() - started
            self._seconds.add(took)
            pause = RETRY_S if again else max(PAUSE_S, REST * took)
            with self._turn:
                if again and not self._draining:
                    self._waiting.add(partition, kol_ids, since)
                self._at_work = None
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._stopping or self._draining, pause)

    def _attempt(self, kol_ids: pl.Series) -> bool:
        """Scores a batch; whether to try again later. Nothing that goes wrong here may stop the stream."""
        try:
            allowed = kol_ids if self._denied is None else kol_ids.filter(~self._denied.among(kol_ids))
            self.scored += self._score(allowed.to_list())
        except NotFoundError as reason:
            if not self._told:
                log.info("KOLs are not scored: %s", reason)
            self._told = True
        except ServiceUnavailableError as error:
            log.warning("%d KOLs wait to be scored: %s", len(kol_ids), error)
            self.failed += 1
            return True
        except Exception:
            log.exception("%d KOLs could not be scored", len(kol_ids))
            self.failed += 1
        else:
            self._told = False
        return False

    def _score(self, kol_ids: list[str]) -> int:
        if self._parts is None:
            self._parts = self._make(), self._open_metrics(), self._open_live()
        scorer, metrics, live = self._parts
        rows = scorer.score(kol_ids)
        if rows.height:
            scores = rows.select(*SCORE_SCHEMA)
            metrics.upsert_scores(scores)
            live.put_scores(scores, rows.select("kol_id", "platform", "category"))
            self._points.add_all(scores["trust_score"].to_numpy())
        return rows.height
