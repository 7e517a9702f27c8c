"""Checkpoints in memory, with the races of the real ones: between a look and the write anything may happen."""

from __future__ import annotations

from collections.abc import Callable

from kolray.benchmarks.simulate.broker import Owner
from kolray.errors import FencedError, ServiceUnavailableError
from kolray.stream.checkpoint import KEEP
from kolray.stream.snapshot import Snapshot


class Disk:
    """What survives: the epochs taken and the snapshots of each partition."""

    def __init__(self) -> None:
        self.epochs: dict[int, int] = {}
        self.snapshots: dict[int, dict[tuple[int, int], Snapshot]] = {}
        self.broken: list[str] = []
        """Rules that were broken here."""
        self.on_claim: Callable[[int], None] = lambda _: None

    def epoch(self, partition: int) -> int:
        """The newest epoch taken; 0: none."""
        return self.epochs.get(partition, 0)

    def take(self, partition: int, epoch: int) -> None:
        """Writes a claim down."""
        if epoch <= self.epoch(partition):
            self.broken.append(f"epoch {epoch} of partition {partition} has two owners")
        self.epochs[partition] = max(epoch, self.epoch(partition))
        self.on_claim(partition)

    def write(self, snapshot: Snapshot, owner_then: int) -> None:
        """Writes a snapshot; ``owner_then`` was the newest epoch when its owner began to save."""
        if owner_then > snapshot.epoch:
            self.broken.append(f"epoch {snapshot.epoch} of partition {snapshot.partition} saved after {owner_then}")
        held = self.snapshots.setdefault(snapshot.partition, {})
        held[snapshot.epoch, snapshot.number] = snapshot
        for old in sorted(held)[:-KEEP]:
            del held[old]


class MemoryCheckpoints:
    """A ``CheckpointStore`` on a ``Disk``, as one process sees it.

    Args:
        as_bytes: snapshots go through their serialised form.
    """

    def __init__(self, disk: Disk, owner: Owner, *, as_bytes: bool) -> None:
        self._disk, self._owner, self._as_bytes = disk, owner, as_bytes

    def take_epoch(self, partition: int) -> int:
        self._reach("claim before")
        epoch = self._disk.epoch(partition) + 1
        self._reach("claim between")
        while epoch <= self._disk.epoch(partition):  # the compare-and-set
            epoch += 1
        self._disk.take(partition, epoch)
        self._reach("claim after")
        return epoch

    def save(self, snapshot: Snapshot) -> None:
        then = self._disk.epoch(snapshot.partition)
        if then > snapshot.epoch:
            raise FencedError(f"partition {snapshot.partition} has a newer owner than epoch {snapshot.epoch}")
        self._reach("save before")
        self._disk.write(Snapshot.from_bytes(snapshot.to_bytes()) if self._as_bytes else snapshot, then)
        self._reach("save after")

    def newest(self, partition: int) -> Snapshot | None:
        self._reach("load")
        held = self._disk.snapshots.get(partition)
        return held[max(held)] if held else None

    def _reach(self, boundary: str) -> None:
        if self._owner.at(boundary):
            raise ServiceUnavailableError("the checkpoint store", "memory", f"no answer at {boundary}")
