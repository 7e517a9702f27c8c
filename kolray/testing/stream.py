"""Fakes of the stream's shells: a log in memory, a store that keeps the last row of a key, a transactional topic."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kolray.errors import FencedError
from kolray.stores.metrics import WINDOW_SCHEMA, Version
from kolray.stream.fetch import RawBatch
from kolray.stream.snapshot import Snapshot

KEYS = ["kol_id", "window", "window_start"]


class MemoryLog:
    """Record batches by (topic, partition); each ``source`` reads them from its own offsets, ``size`` a poll."""

    def __init__(self, batches: list[RawBatch], size: int = 1) -> None:
        self.batches, self.size = batches, size

    def source(self, starts: dict[tuple[str, int], int]) -> MemorySource:
        """A reader that begins at the given offsets."""
        return MemorySource(self, starts)


class MemorySource:
    """One reader of a ``MemoryLog``; ``waited_s`` is what the last ``poll`` would have waited for records."""

    waited_s = 0.0

    def __init__(self, log: MemoryLog, starts: dict[tuple[str, int], int]) -> None:
        self._size = log.size
        self._todo = [b for b in log.batches if b.last_offset >= starts.get((b.topic, b.partition), 1 << 62)]

    def poll(self, timeout_s: float) -> list[RawBatch]:
        self.waited_s = timeout_s
        out, self._todo = self._todo[: self._size], self._todo[self._size :]
        return out

    def at_end(self, topic: str, partition: int) -> bool:
        return self.lag(topic, partition) == 0

    def lag(self, topic: str, partition: int) -> int | None:
        return sum(b.count for b in self._todo if (b.topic, b.partition) == (topic, partition))

    def close(self) -> None: ...


class MemoryRows:
    """A store of window rows and alerts in which an older version never wins; outlives its writers."""

    def __init__(self) -> None:
        self._rows: list[pl.DataFrame] = []
        self.alert_ids: set[str] = set()

    def windows(self, rows: pl.DataFrame, version: Version) -> None:
        self._rows.append(rows.with_columns(epoch=pl.lit(version.epoch), at_us=pl.lit(version.at_us)))

    def alerts(self, rows: pl.DataFrame, version: Version) -> None:
        del version
        self.alert_ids |= set(rows["alert_id"])

    def refresh_live(self) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def final(self) -> pl.DataFrame:
        """The final rows, sorted by key."""
        if not self._rows:
            return pl.DataFrame(schema=WINDOW_SCHEMA)
        rows = pl.concat(self._rows).sort("epoch", "at_us").unique(KEYS, keep="last")
        return rows.filter("final").select(*WINDOW_SCHEMA).sort(KEYS)


class MemoryTopic:
    """Published outputs of every partition, with the fencing and the committed number of a real broker."""

    def __init__(self) -> None:
        self.published: dict[str, list[pl.DataFrame]] = {}
        self.committed: dict[int, int] = {}
        self.owner: dict[int, object] = {}

    def publisher(self, partition: int, crash: Callable[[str], None] = lambda _: None) -> MemoryPublisher:
        """A publisher; ``crash`` is called at every boundary and may raise."""
        return MemoryPublisher(self, partition, crash)

    def rows(self, name: str) -> pl.DataFrame | None:
        """Everything published under a name."""
        parts = self.published.get(name)
        return pl.concat(parts) if parts else None


class MemoryPublisher:
    """One owner's access to a ``MemoryTopic``."""

    def __init__(self, topic: MemoryTopic, partition: int, crash: Callable[[str], None]) -> None:
        self._topic, self._partition, self._crash = topic, partition, crash

    def open(self) -> None:
        self._topic.owner[self._partition] = self

    def unpublished(self, snapshot: Snapshot) -> dict[str, pl.DataFrame]:
        return {} if self._topic.committed.get(self._partition, -1) >= snapshot.number else snapshot.outputs

    def publish(self, snapshot: Snapshot) -> None:
        self._crash("before publish")
        if self._topic.owner[self._partition] is not self:
            raise FencedError(f"partition {self._partition} has a newer owner")
        for name, frame in snapshot.outputs.items():
            self._topic.published.setdefault(name, []).append(frame)
        self._topic.committed[self._partition] = snapshot.number
        self._crash("after publish")

    def close(self) -> None: ...
