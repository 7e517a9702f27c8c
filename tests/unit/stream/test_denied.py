"""The deny-list: who is on it, and what of a frame or a broken record is theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from kolray.clock import from_ms
from kolray.errors import ServiceUnavailableError
from kolray.schemas.registry import FileRegistry
from kolray.settings import StreamSettings
from kolray.stream.checkpoint import FolderCheckpoints
from kolray.stream.decode import BatchDecoder
from kolray.stream.denied import AWAY_S, LOOK_S, DenyList
from kolray.stream.objects import FolderObjects
from kolray.stream.partition import PartitionRunner
from kolray.stream.shard import Shard
from kolray.stream.state import new_state
from kolray.testing.clock import FakeClock
from kolray.testing.sinks import ListSink
from kolray.testing.stream import MemoryLog, MemoryTopic
from tests.unit.stream.batches import T0, batch, records, social_frame


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def denied(tmp_path: Path, clock: FakeClock) -> DenyList:
    return DenyList(FolderObjects(tmp_path), FileRegistry(), clock)


def test_nobody_is_denied_at_first_and_frames_pass_as_they_are(denied: DenyList) -> None:
    frame = pl.DataFrame({"kol_id": ["k1"]})
    assert denied.allowed(frame) is frame
    assert not denied.has("k1")
    assert len(denied) == 0


def test_rows_go_by_their_kol(denied: DenyList) -> None:
    denied.add("k1")
    frame = pl.DataFrame({"kol_id": ["k1", "k10", None, " k1", "k2"], "n": range(5)})
    assert denied.allowed(frame)["n"].to_list() == [1, 2, 4]
    other = pl.DataFrame({"hash": [1]})
    assert denied.allowed(other) is other, "no KOL, no denial"
    assert denied.has("k1 ")


def test_columns_and_single_ids_are_hashed_alike(denied: DenyList) -> None:
    ids = ["k", "Trần", "x" * 100, "日本", "a b"]
    for kol in ids:
        denied.add(kol)
    assert denied.among(pl.Series(ids)).all()
    assert all(map(denied.has, ids))


def test_a_dead_letter_goes_by_key_field_or_word(denied: DenyList) -> None:
    denied.add("kol_7")
    values = [b'{"name": "kol_7", "likes": "x"}', b"\x00\x00\x00\x00\x01\x0akol_7\x0c", b"\xff kol_7", b"kol_70"]
    letters = pl.DataFrame({"key": [None, None, None, None, b"kol_7"], "value": [*values, None]}, strict=False)
    assert denied.allowed(letters)["value"].to_list() == [b"kol_70"]


def test_others_see_it_soon_and_no_file_tells_the_id(denied: DenyList, clock: FakeClock, tmp_path: Path) -> None:
    other = DenyList(FolderObjects(tmp_path), FileRegistry(), clock)
    denied.add("k1")
    assert not other.look()
    clock.advance(LOOK_S)
    assert other.look()
    assert not other.look(now=True)
    assert other.has("k1")
    assert other.digest == denied.digest
    held = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert not any("k1" in file.name or b"k1" in file.read_bytes() for file in held)
    denied.add("k1")
    assert len(denied) == 1


class Away(FolderObjects):
    """A store that may be away."""

    away = False

    def names(self, folder: str, after: str = "") -> list[str]:
        if self.away:
            raise ServiceUnavailableError("S3", "here", "start it")
        return super().names(folder, after)


def test_a_list_that_cannot_be_read_stays_as_it_was_but_nobody_begins_without_one(
    tmp_path: Path, clock: FakeClock
) -> None:
    objects = Away(tmp_path)
    denied = DenyList(objects, FileRegistry(), clock)
    denied.add("k1")
    objects.away = True
    clock.advance(LOOK_S)
    assert not denied.look()
    assert denied.has("k1")
    with pytest.raises(ServiceUnavailableError):
        DenyList(objects, FileRegistry(), clock)
    objects.away = False
    DenyList(objects, FileRegistry(), clock).add("k2")
    clock.advance(LOOK_S)
    assert not denied.look(), "it rests for a while"
    clock.advance(AWAY_S)
    assert denied.look()


def test_a_running_shard_forgets_and_goes_on(tmp_path: Path, clock: FakeClock) -> None:
    rows = [{"event_id": f"e{i}", "kol_id": f"kol_{i % 2 + 1}", "event_time": T0 + i, "likes": 1} for i in range(8)]
    rows[5]["kol_id"] = ""
    items = records("social", social_frame(rows))
    log = MemoryLog([batch("social", [item], base=i, at_ms=T0 + i) for i, item in enumerate(items)])
    objects, sink, checkpoints = FolderObjects(tmp_path / "lake"), ListSink(), FolderCheckpoints(tmp_path / "ckpt")
    clock = FakeClock(from_ms(T0))
    settings = StreamSettings(windows=("5m",), checkpoint_interval_s=60, flush_interval_s=1)

    def shard() -> Shard:
        denied = DenyList(objects, FileRegistry(), clock)
        publisher, broker = MemoryTopic().publisher(0), {"cluster": "one"}
        state = new_state(settings)
        runner = PartitionRunner(0, state, checkpoints, publisher, sink, clock, broker, denied=denied)
        decoder = BatchDecoder(FileRegistry(), denied=denied)
        return Shard({0: runner}, log.source, decoder, settings, clock, until_end=True, denied=denied)

    running = shard()
    running.restore()
    for _ in range(4):
        running.step()
    running.runners[0].checkpoint()
    before = checkpoints.newest(0)
    assert before is not None
    assert set(before.frames["panes"]["kol_id"]) == {"kol_1", "kol_2"}

    DenyList(objects, FileRegistry(), clock).add("kol_2")
    clock.advance(LOOK_S)
    running.step()
    after = checkpoints.newest(0)
    assert after is not None
    assert after.number == before.number + 1, "a checkpoint came at once"
    assert set(after.frames["panes"]["kol_id"]) == {"kol_1"}
    assert running.status()["partitions"][0]["deny_list"] == running.denied.digest  # type: ignore[union-attr]
    while not running.finished:
        running.step()
    counters = running.runners[0].state.counters
    assert (counters.denied, counters.events, counters.rejected) == (1, 6, 1)
    finals = pl.concat(rows for rows, _ in sink.window_rows).filter("final")
    assert finals.select("kol_id", "likes").rows() == [("kol_1", 4)]

    checkpoints.save(replace(before, epoch=after.epoch, number=99))
    restored = shard()
    restored.restore()
    assert set(restored.runners[0].state.panes["kol_id"]) == {"kol_1"}
    newest = checkpoints.newest(0)
    assert newest is not None
    assert set(newest.frames["panes"]["kol_id"]) == {"kol_1"}, "what it adopts holds it no more"
