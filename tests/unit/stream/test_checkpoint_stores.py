"""What every checkpoint store does alike: the folder, and the simulation's in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kolray.benchmarks.simulate.disk import Disk, MemoryCheckpoints
from kolray.errors import FencedError
from kolray.stream.checkpoint import CheckpointStore, FolderCheckpoints
from kolray.stream.snapshot import Snapshot

SNAPSHOT = Snapshot(0, 1, 1, "w", {}, {"social": 3, "web": 4}, 7, {}, {})


class Calm:
    """An owner to whom nothing happens."""

    def at(self, boundary: str) -> bool:
        return False

    def away(self, service: str) -> bool:
        return False


@pytest.fixture(params=["folder", "memory", "memory, as bytes"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CheckpointStore:
    if request.param == "folder":
        return FolderCheckpoints(tmp_path)
    return MemoryCheckpoints(Disk(), Calm(), as_bytes="bytes" in request.param)


def test_every_claim_is_greater_than_those_before_it(store: CheckpointStore) -> None:
    epochs = [store.take_epoch(0) for _ in range(3)]
    assert epochs == sorted(set(epochs))
    assert store.take_epoch(1) == 1


def test_the_newest_snapshot_is_that_of_the_newest_epoch(store: CheckpointStore) -> None:
    assert store.newest(0) is None
    first = store.take_epoch(0)
    for number in range(1, 6):
        store.save(replace(SNAPSHOT, epoch=first, number=number))
    second = store.take_epoch(0)
    newest = replace(SNAPSHOT, epoch=second, number=5)
    assert store.newest(0) == replace(newest, epoch=first)
    store.save(newest)
    assert store.newest(0) == newest


def test_an_owner_that_was_replaced_saves_nothing(store: CheckpointStore) -> None:
    first, second = store.take_epoch(0), store.take_epoch(0)
    with pytest.raises(FencedError, match="newer owner"):
        store.save(replace(SNAPSHOT, epoch=first, number=9))
    assert store.newest(0) is None
    store.save(replace(SNAPSHOT, epoch=second))
    assert store.newest(0) == replace(SNAPSHOT, epoch=second)
