"""Crashes at every boundary of the checkpoint: nothing lost, nothing doubled."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kolray.clock import SystemClock
from kolray.errors import CheckpointError, FencedError
from kolray.events import Kind
from kolray.schemas.registry import FileRegistry
from kolray.settings import StreamSettings
from kolray.stores.metrics import Version
from kolray.stream.checkpoint import FolderCheckpoints
from kolray.stream.decode import BatchDecoder
from kolray.stream.fetch import RawBatch
from kolray.stream.partition import PartitionRunner
from kolray.stream.shard import Shard
from kolray.stream.snapshot import Snapshot
from kolray.stream.state import new_state
from kolray.testing.stream import MemoryLog, MemoryRows, MemoryTopic
from tests.unit.stream.batches import T0, batch, records, social_frame, web_frame

SETTINGS = StreamSettings(checkpoint_interval_s=1e-9, windows=("5m", "15m/5m", "1h"))
MAKE = {"social": social_frame, "web": web_frame}


class CrashError(Exception):
    """The process is gone."""


class Crashes:
    """Raises at one chosen boundary."""

    def __init__(self, at: int | None = None) -> None:
        self.seen, self.at = 0, at

    def __call__(self, boundary: str) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise CrashError(boundary)


class CrashingCheckpoints(FolderCheckpoints):
    """Crashes before and after a snapshot becomes durable."""

    def __init__(self, folder: Path, crash: Crashes) -> None:
        super().__init__(folder)
        self._crash = crash

    def save(self, snapshot: Snapshot) -> None:
        self._crash("before save")
        super().save(snapshot)
        self._crash("after save")


class CrashingRows(MemoryRows):
    """Crashes before and after an upsert."""

    crash: Crashes

    def windows(self, rows: pl.DataFrame, version: Version) -> None:
        self.crash("before upsert")
        super().windows(rows, version)
        self.crash("after upsert")


class World:
    """What survives a crash: the log, the store, the topic, the checkpoints."""

    def __init__(self, batches: list[RawBatch], folder: Path) -> None:
        self.log, self.rows, self.topic, self.folder = MemoryLog(batches), CrashingRows(), MemoryTopic(), folder

    def shard(self, crash: Crashes, settings: StreamSettings = SETTINGS) -> Shard:
        self.rows.crash = crash
        runner = PartitionRunner(
            partition=0,
            state=new_state(settings),
            checkpoints=CrashingCheckpoints(self.folder, crash),
            publisher=self.topic.publisher(0, crash),
            writer=self.rows,
            clock=SystemClock(),
            broker={"cluster": "one"},
        )
        return Shard(
            {0: runner}, self.log.source, BatchDecoder(FileRegistry()), settings, SystemClock(), until_end=True
        )

    def run(self, crash: Crashes) -> None:
        shard = self.shard(crash)
        shard.restore()
        _run_on(shard)


def batches(seed: int) -> list[RawBatch]:
    """Twelve batches over two hours: duplicates, a poisoned record, late events, a follower spike."""
    chance, out = random.Random(seed), []
    offsets: dict[Kind, int] = {"social": 0, "web": 0}
    for step in range(12):
        kind: Kind = "web" if step % 3 == 2 else "social"
        at = T0 + step * 600_000
        rows = [
            {"event_id": f"{kind}{chance.randrange(60)}", "event_time": at + chance.randrange(600_000)}
            for _ in range(6)
        ]
        if step == 9:
            rows.append({"event_id": "late", "event_time": T0})
        items = records(kind, MAKE[kind](rows))
        items.insert(chance.randrange(len(items)), (b"kol_1", b"junk", []))
        out.append(batch(kind, items, base=offsets[kind], at_ms=at + 600_000))
        offsets[kind] += len(items)
    return out


def outcome(world: World) -> tuple[pl.DataFrame, dict[str, pl.DataFrame | None]]:
    places = ["topic", "partition", "offset"]
    return world.rows.final(), {
        name: None if (rows := world.topic.rows(name)) is None else rows.select(places).sort(places)
        for name in ("dead_letters", "late")
    }


def test_a_crash_at_any_boundary_changes_nothing(tmp_path: Path) -> None:
    log = batches(seed=1)
    calm = World(log, tmp_path / "calm")
    counting = Crashes()
    calm.run(counting)
    want_rows, want_outputs = outcome(calm)
    assert want_outputs["dead_letters"] is not None
    assert want_outputs["late"] is not None
    for boundary in range(1, counting.seen + 1):
        world = World(log, tmp_path / str(boundary))
        with pytest.raises(CrashError):
            world.run(Crashes(at=boundary))
        world.run(Crashes())
        rows, outputs = outcome(world)
        assert_frame_equal(rows, want_rows)
        for name, frame in want_outputs.items():
            assert outputs[name] is not None
            assert frame is not None
            assert_frame_equal(outputs[name], frame)  # type: ignore[arg-type]


def test_a_zombie_publishes_and_saves_nothing(tmp_path: Path) -> None:
    world = World(batches(seed=2), tmp_path)
    zombie = world.shard(Crashes())
    zombie.restore()
    zombie.step()
    world.shard(Crashes()).restore()
    with pytest.raises(FencedError, match="newer owner"):
        zombie.step()


def _run_on(shard: Shard) -> None:
    while not shard.finished:
        shard.step()


class Hanging(FolderCheckpoints):
    """A process that stands still between its look at the epochs and the write of a snapshot, which it makes later."""

    late: Snapshot

    def save(self, snapshot: Snapshot) -> None:
        self.late = snapshot
        raise CrashError

    def wake_up(self) -> None:
        name = f"p0000/e{self.late.epoch:010d}-n{self.late.number:012d}.ckpt"
        self._objects.put(name, self.late.to_bytes())


def test_a_save_that_lands_late_does_not_stand_above_what_was_resumed(tmp_path: Path) -> None:
    log = batches(seed=5)
    calm, world = World(log, tmp_path / "calm"), World(log, tmp_path / "late")
    calm.run(Crashes())
    hung = [Hanging(tmp_path / "late"), Hanging(tmp_path / "late")]
    for checkpoints in hung:
        shard = world.shard(Crashes())
        shard.runners[0].checkpoints = checkpoints
        shard.restore()
        with pytest.raises(CrashError):
            _run_on(shard)
    hung[0].wake_up()
    world.shard(Crashes()).restore()  # resumes at the first one's snapshot, and dies
    hung[1].wake_up()
    newest = FolderCheckpoints(tmp_path / "late").newest(0)
    assert newest is not None
    assert newest.epoch == 3
    world.run(Crashes())
    (rows, outputs), (want_rows, want_outputs) = outcome(world), outcome(calm)
    assert_frame_equal(rows, want_rows)
    for name, frame in want_outputs.items():
        assert frame is not None
        assert_frame_equal(outputs[name], frame)  # type: ignore[arg-type]


def test_other_windows_are_refused_with_advice(tmp_path: Path) -> None:
    world = World(batches(seed=3), tmp_path)
    world.run(Crashes())
    changed = SETTINGS.model_copy(update={"windows": ("5m", "30m")})
    with pytest.raises(CheckpointError, match="--reset"):
        world.shard(Crashes(), changed).restore()


def test_another_broker_is_refused_with_advice(tmp_path: Path) -> None:
    world = World(batches(seed=4), tmp_path)
    world.run(Crashes())
    shard = world.shard(Crashes())
    shard.runners[0].broker = {"cluster": "two"}
    with pytest.raises(CheckpointError, match="another log"):
        shard.restore()


def test_a_damaged_snapshot_is_named_with_its_file(tmp_path: Path) -> None:
    world = World(batches(seed=5), tmp_path)
    world.run(Crashes())
    newest = sorted((tmp_path / "p0000").glob("*.ckpt"))[-1]
    newest.write_bytes(newest.read_bytes()[:-9] + b"123456789")
    with pytest.raises(CheckpointError, match=newest.name):
        world.shard(Crashes()).restore()


def test_an_older_epoch_never_becomes_the_newest_snapshot(tmp_path: Path) -> None:
    store = FolderCheckpoints(tmp_path)
    first, second = store.take_epoch(0), store.take_epoch(0)
    snapshot = Snapshot(0, second, 5, "w", {}, {}, 0, {}, {})
    store.save(snapshot)
    with pytest.raises(FencedError):
        store.save(replace(snapshot, epoch=first, number=9))
    assert store.newest(0) == snapshot
