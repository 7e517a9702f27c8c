"""Where snapshots live: as objects written whole, with an epoch taken by compare-and-set.

Names carry (epoch, number); the newest is the greatest. A snapshot of an owner that was thought dead has an older
epoch and never wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from kolray.errors import CheckpointError, FencedError
from kolray.settings import Settings
from kolray.stream.objects import TORN, FolderObjects, Objects, open_objects
from kolray.stream.sentiment import Span
from kolray.stream.snapshot import Snapshot

KEEP = 3
_NAME = re.compile(r"e(\d{10})-n(\d{12})\.ckpt")
_EPOCH = "epoch-{:010d}"


class CheckpointStore(Protocol):
    """Durable snapshots of every partition."""

    def take_epoch(self, partition: int) -> int:
        """Claims the partition: returns an epoch greater than any taken before, to nobody else."""
        ...

    def save(self, snapshot: Snapshot) -> None:
        """Durable when it returns.

        Raises:
            FencedError: a newer epoch was taken.
        """
        ...

    def newest(self, partition: int) -> Snapshot | None: ...


class Checkpoints:
    """Snapshots as objects ``p0003/e…-n….ckpt``, and one empty object an epoch beside them."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def take_epoch(self, partition: int) -> int:
        epoch = self._epoch_after(partition, 0) + 1
        while not self._objects.create(f"{_folder(partition)}/{_EPOCH.format(epoch)}"):
            epoch += 1
        return epoch

    def _epoch_after(self, partition: int, epoch: int) -> int:
        """The newest epoch taken after ``epoch``; ``epoch`` itself where there is none."""
        names = self._objects.names(_folder(partition), after=_EPOCH.format(epoch))
        return max((int(name.removeprefix("epoch-")) for name in names if name.startswith("epoch-")), default=epoch)

    def save(self, snapshot: Snapshot) -> None:
        if self._epoch_after(snapshot.partition, snapshot.epoch) > snapshot.epoch:
            raise FencedError(f"partition {snapshot.partition} has a newer owner than epoch {snapshot.epoch}")
        folder = _folder(snapshot.partition)
        name = f"e{snapshot.epoch:010d}-n{snapshot.number:012d}.ckpt"
        self._objects.put(f"{folder}/{name}", snapshot.to_bytes())
        self._objects.delete([f"{folder}/{old}" for old in self._snapshots(snapshot.partition)[:-KEEP]])

    def _snapshots(self, partition: int) -> list[str]:
        return [name for name in self._objects.names(_folder(partition)) if _NAME.fullmatch(name)]

    def newest(self, partition: int) -> Snapshot | None:
        names = self._snapshots(partition)
        if not names:
            return None
        place = f"{_folder(partition)}/{names[-1]}"
        snapshot = self._read(place)
        if snapshot is None:
            raise CheckpointError(f"{self._objects.place(place)} was removed while it was to be read; start again")
        return snapshot

    def _read(self, place: str) -> Snapshot | None:
        data = self._objects.get(place)
        try:
            return None if data is None else Snapshot.from_bytes(data)
        except CheckpointError as error:
            raise CheckpointError(f"{self._objects.place(place)}: {error}") from error

    def all(self) -> Iterator[tuple[str, Snapshot]]:
        """Every snapshot with its place, also those that newer ones have replaced but not yet removed."""
        for number in self.partitions():
            for name in self._snapshots(number):
                place = f"{_folder(number)}/{name}"
                if (snapshot := self._read(place)) is not None:
                    yield place, snapshot

    def rewrite(self, place: str, snapshot: Snapshot) -> bool:
        """Writes a snapshot at its place once more, unless it was removed meanwhile; whether it did."""
        if self._objects.get(place) is None:
            return False
        self._objects.put(place, snapshot.to_bytes())
        return True

    def remove_torn(self) -> int:
        """Deletes what owners that were killed left half written; returns how many. While nobody writes here."""
        torn = [f"{_folder(p)}/{name}" for p in self.partitions() for name in self._objects.names(_folder(p))]
        torn = [place for place in torn if f"/{TORN}" in place]
        self._objects.delete(torn)
        return len(torn)

    def partitions(self) -> list[int]:
        """Partitions that were ever claimed."""
        return [int(name[1:]) for name in self._objects.folders() if re.fullmatch(r"p\d+", name)]

    def reset(self, partition: int) -> None:
        """Forgets every snapshot. The epochs stay: versions of rows count on with them, and old owners stay fenced."""
        folder = _folder(partition)
        self._objects.delete([f"{folder}/{name}" for name in self._snapshots(partition)])


class FolderCheckpoints(Checkpoints):
    """Snapshots in ``<folder>/p0003/``."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(FolderObjects(folder))


def open_checkpoints(settings: Settings) -> Checkpoints:
    """In the folder or the bucket the settings name."""
    return Checkpoints(open_objects(settings.checkpoints, settings.s3))


def _folder(partition: int) -> str:
    return f"p{partition:04d}"


def recorded_sentiment(store: Checkpoints) -> dict[int, list[Span]]:
    """Which sentiment model was in force when, by partition, as the newest checkpoints say; empty without any."""
    newest = {number: store.newest(number) for number in store.partitions()}
    return {n: [(at, version) for at, version in s.head["sentiment"]] for n, s in newest.items() if s is not None}


class RunMark:
    """The object ``run``: which run of the stream began last on these checkpoints.

    Two runs would fence each other for ever; the older one sees here that it is the older one.
    """

    def __init__(self, objects: Objects, run: str) -> None:
        self._objects, self._run = objects, run

    def take(self) -> None:
        """This run is the newest."""
        self._objects.put("run", self._run.encode())

    def held(self) -> bool:
        """No run began since."""
        return self._objects.get("run") == self._run.encode()  # none: `--reset` of another run removed it


def forget(settings: Settings) -> None:
    """``kolray stream --reset``: every partition starts from the beginning, and a run that still goes on has to end."""
    store, objects = open_checkpoints(settings), open_objects(settings.checkpoints, settings.s3)
    objects.delete(["run"])
    for partition in store.partitions():
        store.reset(partition)
