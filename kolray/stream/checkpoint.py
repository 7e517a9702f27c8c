"""Where snapshots live: a folder, written atomically, with an epoch taken by compare-and-set.

Names carry (epoch, number); the newest is the greatest. A snapshot of an owner that was thought dead has an older
epoch and never wins.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Protocol

from kolray.errors import CheckpointError, FencedError
from kolray.stream.sentiment import Span
from kolray.stream.snapshot import Snapshot

KEEP = 3
_NAME = re.compile(r"e(\d{10})-n(\d{12})\.ckpt")


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


class FolderCheckpoints:
    """Snapshots in ``<folder>/p0003/``."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def _place(self, partition: int) -> Path:
        place = self._folder / f"p{partition:04d}"
        place.mkdir(parents=True, exist_ok=True)
        return place

    def take_epoch(self, partition: int) -> int:
        place = self._place(partition)
        epoch = self._current_epoch(place) + 1
        while True:
            try:
                # O_EXCL is the compare-and-set: of two that try, one makes the file.
                os.close(os.open(place / f"epoch-{epoch:010d}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                epoch += 1
            else:
                return epoch

    @staticmethod
    def _current_epoch(place: Path) -> int:
        return max((int(file.name[6:]) for file in place.glob("epoch-*")), default=0)

    def save(self, snapshot: Snapshot) -> None:
        place = self._place(snapshot.partition)
        if self._current_epoch(place) > snapshot.epoch:
            raise FencedError(f"partition {snapshot.partition} has a newer owner than epoch {snapshot.epoch}")
        target = place / f"e{snapshot.epoch:010d}-n{snapshot.number:012d}.ckpt"
        temporary = target.with_suffix(".tmp")
        with temporary.open("wb") as out:
            out.write(snapshot.to_bytes())
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(target)
        directory = os.open(place, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        for old in self._names(place)[:-KEEP]:
            old.unlink(missing_ok=True)

    @staticmethod
    def _names(place: Path) -> list[Path]:
        return sorted(file for file in place.iterdir() if _NAME.fullmatch(file.name))

    def newest(self, partition: int) -> Snapshot | None:
        names = self._names(self._place(partition))
        if not names:
            return None
        try:
            return Snapshot.from_bytes(names[-1].read_bytes())
        except CheckpointError as error:
            raise CheckpointError(f"{names[-1]}: {error}") from error


def recorded_sentiment(folder: str | Path) -> dict[int, list[Span]]:
    """Which sentiment model was in force when, by partition, as the newest checkpoints say; empty without any."""
    store = FolderCheckpoints(folder)
    numbers = [int(place.name[1:]) for place in sorted(Path(folder).glob("p[0-9]*"))]
    newest = {number: store.newest(number) for number in numbers}
    return {n: [(at, version) for at, version in s.head["sentiment"]] for n, s in newest.items() if s is not None}


class RunMark:
    """``<folder>/run``: which run of the stream began last on these checkpoints.

    Two runs would fence each other for ever; the older one sees here that it is the older one.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self._file, self._run = folder / "run", run

    def take(self) -> None:
        """This run is the newest."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_name(f"run-{self._run}")
        temporary.write_text(self._run)
        temporary.replace(self._file)

    def held(self) -> bool:
        """No run began since."""
        try:
            return self._file.read_text() == self._run
        except FileNotFoundError:
            return False  # `--reset` of another run removed it
