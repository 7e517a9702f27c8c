"""The stream with one rule of its checkpoint broken at a time."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import polars as pl

from kolray.benchmarks.simulate.broker import MemoryProducer, Transaction
from kolray.benchmarks.simulate.disk import MemoryCheckpoints
from kolray.benchmarks.simulate.parts import Parts
from kolray.clock import to_ms
from kolray.events import Kind
from kolray.stores.metrics import Version
from kolray.stream.outputs import TransactionalPublisher
from kolray.stream.partition import PartitionRunner
from kolray.stream.shard import Shard
from kolray.stream.snapshot import Snapshot, take
from kolray.stream.watermark import TopicProgress

_NUMBERS = itertools.count()


class _Delayed:
    """Stands before a runner's checkpoint store or publisher and does its work when told to."""

    def __init__(self, inner: Any, name: str) -> None:
        self.inner, self.name, self.waiting = inner, name, []

    def __getattr__(self, name: str) -> Any:
        if name == self.name:
            return lambda *a, **k: self.waiting.append((a, k))
        return getattr(self.inner, name)

    def release(self) -> None:
        while self.waiting:
            a, k = self.waiting.pop(0)
            getattr(self.inner, self.name)(*a, **k)


class PublishBeforeSave(PartitionRunner):
    def checkpoint(self) -> None:
        held = self.checkpoints
        late = _Delayed(held, "save")
        self.checkpoints = late  # type: ignore[assignment]
        super().checkpoint()
        self.checkpoints = held
        late.release()


class SaveBeforeFlush(PartitionRunner):
    def checkpoint(self) -> None:
        held = self.writer
        late = _Delayed(held, "flush")
        self.writer = late  # type: ignore[assignment]
        super().checkpoint()
        self.writer = held
        late.release()


class OffsetsAfterState(PartitionRunner):
    """Saves the offsets of now with the state before the last events of either topic."""

    before: Any = None

    def on_frame(self, kind: Kind, events: Any, rejected: Any, end: int) -> None:
        self.before = take(self.state)
        super().on_frame(kind, events, rejected, end)

    def checkpoint(self) -> None:
        if self.before is not None:
            head, frames = self.before
            held, runner = self.checkpoints, self

            class Earlier:
                def save(self, snapshot: Snapshot) -> None:
                    held.save(replace(snapshot, head=snapshot.head | head, frames=frames))

            runner.checkpoints = Earlier()  # type: ignore[assignment]
            super().checkpoint()
            self.checkpoints = held
        else:
            super().checkpoint()


class NoOutputsInSnapshot(PartitionRunner):
    def checkpoint(self) -> None:
        held = self.checkpoints

        class Without:
            def save(self, snapshot: Snapshot) -> None:
                held.save(replace(snapshot, outputs={}))

        self.checkpoints = Without()  # type: ignore[assignment]
        super().checkpoint()
        self.checkpoints = held


class OutputsForgottenBeforeSave(PartitionRunner):
    """Drops what waits to be published whenever windows close."""

    def checkpoint(self) -> None:
        self._outputs.pop("alerts", None)
        super().checkpoint()


class OutputsKeptAfterPublishing(PartitionRunner):
    def checkpoint(self) -> None:
        held = {name: list(parts) for name, parts in self._outputs.items()}
        super().checkpoint()
        self._outputs = held if self.number % 3 == 0 else {}


class NoWatermark(PartitionRunner):
    def restore(self) -> dict[Kind, int]:
        offsets = super().restore()
        self.state.watermark.current_ms = -1
        self.state.watermark.topics.update({"social": TopicProgress(), "web": TopicProgress()})
        return offsets


class NoClosedMark(PartitionRunner):
    def restore(self) -> dict[Kind, int]:
        offsets = super().restore()
        self.state.closed_ms = -1
        return offsets


class NoDuplicateFilter(PartitionRunner):
    def restore(self) -> dict[Kind, int]:
        offsets = super().restore()
        for seen in self.state.seen.values():
            seen.restore(seen.snapshot().clear())
        return offsets


class NoPatternState(PartitionRunner):
    def restore(self) -> dict[Kind, int]:
        offsets = super().restore()
        self.state.patterns.restore({})
        return offsets


class NoPanes(PartitionRunner):
    def restore(self) -> dict[Kind, int]:
        offsets = super().restore()
        self.state.panes = self.state.panes.clear()
        return offsets


class ClaimAfterLoad(PartitionRunner):
    """Looks for the newest snapshot first and claims the partition afterwards."""

    def restore(self) -> dict[Kind, int]:
        held, found = self.checkpoints, self.checkpoints.newest(self.partition)

        class Loaded:
            def take_epoch(self, partition: int) -> int:
                return held.take_epoch(partition)

            def newest(self, partition: int) -> Snapshot | None:
                return found

            def save(self, snapshot: Snapshot) -> None:
                held.save(snapshot)

        self.checkpoints = Loaded()  # type: ignore[assignment]
        offsets = super().restore()
        self.checkpoints = held
        return offsets


class VersionsByClock(PartitionRunner):
    """As the clock of whoever writes says: an owner that hung and wakes up is then the newest."""

    now_us: int = 0

    def version(self) -> Version:
        self.now_us = max(self.now_us + 1, to_ms(self.clock.now()) * 1000)
        return Version(self.epoch, self.now_us)


class VersionsWithoutGap(PartitionRunner):
    """A new owner goes on from its snapshot, or from its clock."""

    def restore(self) -> dict[Kind, int]:
        offsets = super().restore()
        saved = self.checkpoints.newest(self.partition)
        self._version_us = max(to_ms(self.clock.now()) * 1000, saved.version_us if saved else 0)
        return offsets


class NoFencingOnSave(MemoryCheckpoints):
    def save(self, snapshot: Snapshot) -> None:
        then = self._disk.epoch(snapshot.partition)
        self._reach("save before")
        self._disk.write(snapshot, then)
        self._reach("save after")


class NoCompareAndSet(MemoryCheckpoints):
    def take_epoch(self, partition: int) -> int:
        self._reach("claim before")
        epoch = self._disk.epoch(partition) + 1
        self._reach("claim between")
        self._disk.take(partition, epoch)
        self._reach("claim after")
        return epoch


class OldestSnapshot(MemoryCheckpoints):
    """Takes the oldest of the snapshots that are kept."""

    def newest(self, partition: int) -> Snapshot | None:
        self._reach("load")
        held = self._disk.snapshots.get(partition)
        return held[min(held)] if held else None


class NeverAsksCommitted(TransactionalPublisher):
    def _committed(self) -> tuple[int, int]:
        return -1, -1


class FencesAfterAsking(TransactionalPublisher):
    """Fences the former owner only when it has already been told what that one published."""

    def open(self) -> None: ...

    def publish(self, snapshot: Snapshot) -> None:
        if self._producer is None:
            super().open()
        super().publish(snapshot)


class NeverRepeats(TransactionalPublisher):
    def unpublished(self, snapshot: Snapshot) -> dict[str, pl.DataFrame]:
        return {}


class NoTransactions(MemoryProducer):
    """Records are visible at once, as without a transaction."""

    def send(self, topic: str, value: bytes, key: bytes) -> None:
        super().send(topic, value, key)
        self._broker.commit(Transaction(records=self._open.records))
        self._open.records = []


class NumberApart(MemoryProducer):
    """The number is committed before the records, each for itself."""

    def commit_transaction(self) -> None:
        self._broker.check(self._id, self._epoch)
        self._broker.commit(Transaction(offsets=self._open.offsets))
        super().commit_transaction()


class OwnTransactionalId(MemoryProducer):
    """Every process has a transactional id of its own, so nobody is fenced."""

    def __init__(self, broker: Any, owner: Any, transactional_id: str) -> None:
        super().__init__(broker, owner, f"{transactional_id}-{next(_NUMBERS)}")


class ProvisionalAtOnce(Shard):
    def restore(self) -> None:
        super().restore()
        self._caught_up.update(self.runners)


MUTANTS = {
    "publish before save": Parts(runner=PublishBeforeSave),
    "save before the sinks are flushed": Parts(runner=SaveBeforeFlush),
    "offsets from after the state": Parts(runner=OffsetsAfterState),
    "outputs left out of the snapshot": Parts(runner=NoOutputsInSnapshot),
    "outputs forgotten before the save": Parts(runner=OutputsForgottenBeforeSave),
    "outputs kept after they were published": Parts(runner=OutputsKeptAfterPublishing),
    "watermark left out of the snapshot": Parts(runner=NoWatermark),
    "closed windows left out of the snapshot": Parts(runner=NoClosedMark),
    "duplicate filter left out of the snapshot": Parts(runner=NoDuplicateFilter),
    "patterns left out of the snapshot": Parts(runner=NoPatternState),
    "panes left out of the snapshot": Parts(runner=NoPanes),
    "snapshot loaded before the claim": Parts(runner=ClaimAfterLoad),
    "fenced after the committed number was asked for": Parts(publisher=FencesAfterAsking),
    "versions follow the wall clock": Parts(runner=VersionsByClock),
    "owners share their versions": Parts(runner=VersionsWithoutGap),
    "a zombie's save is not refused": Parts(checkpoints=NoFencingOnSave),
    "epochs without compare-and-set": Parts(checkpoints=NoCompareAndSet),
    "an older snapshot is taken for the newest": Parts(checkpoints=OldestSnapshot),
    "the committed number is not asked for": Parts(publisher=NeverAsksCommitted),
    "nothing is published again": Parts(publisher=NeverRepeats),
    "outputs outside a transaction": Parts(producer=NoTransactions),
    "the number committed apart from its outputs": Parts(producer=NumberApart),
    "a transactional id for every process": Parts(producer=OwnTransactionalId),
    "provisional rows before it is caught up": Parts(shard=ProvisionalAtOnce),
}
