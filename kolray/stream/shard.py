"""The one loop of the stream: poll, decode, count, close, write, checkpoint. Plain Python; ``actors.py`` places it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeVar

from kolray.clock import Clock, to_ms
from kolray.events import RAW_TOPICS, Kind
from kolray.settings import StreamSettings
from kolray.stream.decode import BatchDecoder
from kolray.stream.denied import DenyList
from kolray.stream.fetch import RawBatch
from kolray.stream.meters import Meters
from kolray.stream.partition import PartitionRunner
from kolray.stream.scoring import Scoring

log = logging.getLogger(__name__)
T = TypeVar("T")
URGENT_S = 1.0
"""Least seconds between two checkpoints made for alerts."""


class BatchSource(Protocol):
    """Where batches come from: ``BatchFetcher``, or a list in memory."""

    def poll(self, timeout_s: float) -> list[RawBatch]: ...

    def at_end(self, topic: str, partition: int) -> bool: ...

    def lag(self, topic: str, partition: int) -> int | None: ...

    def close(self) -> None: ...


class AtOnce(Protocol):
    """Calls a function for each of some partitions, perhaps at once; returns when all are done, raises what one did."""

    def __call__(self, work: Callable[[PartitionRunner], T], runners: Iterable[PartitionRunner], /) -> Iterable[T]: ...


@dataclass
class Shard:
    """Runs some partitions.

    Args:
        open_source: makes the source from (topic, partition) → first offset, once the partitions are restored.
        until_end: stop when every partition's log was read to its end, and close all windows.
        topics: the topic of each kind of event.
        beat: called at least once a round: the loop's sign of life.
        at_once: how the partitions are claimed and their checkpoints made; each mostly waits for a server or a disk.
        denied: KOLs that were erased; looked at again every few seconds.
        meters: what checkpoints and writes took; the writer fills the same ones.
    """

    runners: dict[int, PartitionRunner]
    open_source: Callable[[dict[tuple[str, int], int]], BatchSource]
    decoder: BatchDecoder
    settings: StreamSettings
    clock: Clock
    until_end: bool = False
    topics: dict[Kind, str] = field(default_factory=lambda: dict(RAW_TOPICS))
    beat: Callable[[], None] = lambda: None
    scoring: Scoring | None = None
    at_once: AtOnce = map
    denied: DenyList | None = None
    meters: Meters = field(default_factory=Meters)
    _source: BatchSource | None = None
    _next_checkpoint: float = 0.0
    _next_flush: float = 0.0
    _next_urgent: float = 0.0
    _last_checkpoint: float = 0.0
    _checkpoint_took: float = 0.0
    _finished: bool = False
    _deny_list: str = ""
    """The newest deny-list of which checkpoints were made."""
    _caught_up: set[int] = field(default_factory=set)

    def restore(self) -> None:
        """Claims all partitions and opens the source where they resume."""
        starts: dict[tuple[str, int], int] = {}
        resumed = self.at_once(lambda runner: runner.restore(), self.runners.values())
        for number, offsets in zip(self.runners, resumed, strict=True):
            self.beat()
            starts |= {(self.topics[kind], number): offset for kind, offset in offsets.items()}
        self._source = self.open_source(starts)
        self._deny_list = self.denied.digest if self.denied is not None else ""
        now = self.clock.monotonic()
        self._last_checkpoint = now
        self._next_checkpoint = now + self.settings.checkpoint_interval_s
        self._next_flush = now + self.settings.flush_interval_s

    @property
    def source(self) -> BatchSource:
        if self._source is None:
            raise RuntimeError("restore() comes first")
        return self._source

    @property
    def finished(self) -> bool:
        """A bounded run is done."""
        return self._finished

    def step(self) -> None:
        """One round of the loop; waits at most the flush interval for records."""
        self.beat()
        if self.denied is not None and self.denied.look():
            self._drop(self.denied)
        batches = self.source.poll(self._patience_s())
        self._count(batches)
        for number, runner in self.runners.items():
            ends = {kind: self.source.at_end(topic, number) for kind, topic in self.topics.items()}
            runner.advance(ends)
            if all(ends.values()):
                self._caught_up.add(number)
        now = self.clock.monotonic()
        if self.until_end and not batches and self._at_end():
            return self._finish()
        if now >= self._next_flush and not self.until_end:
            self._flush(now)
        if now >= self._next_checkpoint:
            self._checkpoint()
        elif now >= self._next_urgent and not self.until_end:
            self._publish_alerts()
        return None

    def _patience_s(self) -> float:
        """Seconds to wait for records; few where a pane is about to end, as without traffic it does so by the clock."""
        due_ms = min((runner.state.due_ms for runner in self.runners.values()), default=0)
        return min(self.settings.flush_interval_s, 0.5, max(0.05, due_ms / 1000))

    def _drop(self, denied: DenyList) -> None:
        """Forgets KOLs that were erased. The checkpoints come at once: whoever erases them waits for that."""
        for runner in self.runners.values():
            runner.drop(denied)
        self._checkpoint()
        self._deny_list = denied.digest

    def _count(self, batches: list[RawBatch]) -> None:
        kind_of = {topic: kind for kind, topic in self.topics.items()}
        groups: dict[tuple[Kind, int], list[RawBatch]] = defaultdict(list)
        for batch in batches:
            groups[kind_of[batch.topic], batch.partition].append(batch)
        for (kind, number), group in groups.items():
            self.beat()
            decoded = self.decoder.decode(kind, group)
            end = group[-1].last_offset + 1
            self.runners[number].on_frame(kind, decoded.frame, decoded.rejected, end, decoded.denied)

    def _at_end(self) -> bool:
        return all(self.source.at_end(topic, number) for number in self.runners for topic in self.topics.values())

    def _flush(self, now: float) -> None:
        for number in self._caught_up:  # before that, rows of a replay would run behind those written before a crash
            self.runners[number].write_provisional()
            self.runners[number].writer.refresh_live()
        self._next_flush = now + self.settings.flush_interval_s

    def _checkpoint(self) -> None:
        self._checkpoint_took = self._make_checkpoints(self.runners.values())
        self._last_checkpoint = self.clock.monotonic()
        self._next_checkpoint = self._last_checkpoint + self.settings.checkpoint_interval_s
        made = {str(number): runner.number for number, runner in self.runners.items()}
        log.info("checkpoints made", extra={"checkpoints": made, "seconds": round(self._checkpoint_took, 3)})

    def _publish_alerts(self) -> None:
        """An early checkpoint of the partitions that have any."""
        waiting = [runner for runner in self.runners.values() if runner.has_alerts()]
        if waiting:
            self._make_checkpoints(waiting)

    def _make_checkpoints(self, runners: Collection[PartitionRunner]) -> float:
        """Returns the seconds it took; early ones rest four times as long, so that windows come first."""
        started = self.clock.monotonic()
        for _ in self.at_once(lambda runner: runner.checkpoint(), runners):
            self.beat()
        now = self.clock.monotonic()
        self._next_urgent = now + max(URGENT_S, 4 * (now - started))
        self.meters.checkpoints.add(now - started)
        return now - started

    def _finish(self) -> None:
        for runner in self.runners.values():
            runner.end_of_input()
        self._checkpoint()
        if self.scoring is not None:
            self.scoring.drain(self.beat)
        self._finished = True

    def status(self) -> dict[str, Any]:
        """Counters and progress of each partition; asked for by the loop's own thread, as the source is not shared."""
        return {
            "finished": self._finished,
            "at": to_ms(self.clock.now()) / 1000,
            "meters": self.meters.told(),
            "scoring": None if self.scoring is None else self.scoring.told(),
            "checkpoint_at": to_ms(self.clock.now()) / 1000 - (self.clock.monotonic() - self._last_checkpoint),
            "checkpoint_took_s": round(self._checkpoint_took, 3),
            "partitions": {
                number: asdict(runner.state.counters)
                | {
                    "offsets": dict(runner.offsets),
                    "lag": self._lag(number),
                    "watermark_ms": runner.state.watermark.current_ms,
                    "epoch": runner.epoch,
                    "checkpoint": runner.number,
                    "state_bytes": runner.state.size_bytes,
                    "deny_list": self._deny_list,
                }
                for number, runner in self.runners.items()
            },
        }

    def _lag(self, number: int) -> int | None:
        """Offsets of both topics still to be read; None before the broker's first answer."""
        lags = [self.source.lag(topic, number) for topic in self.topics.values()]
        return None if None in lags else sum(lag for lag in lags if lag is not None)

    def close(self) -> None:
        """Stops without a checkpoint; what was not checkpointed is read again."""
        if self._source is not None:
            self._source.close()
        if self.scoring is not None:
            self.scoring.close()
        for runner in self.runners.values():
            runner.publisher.close()
            runner.writer.close()
