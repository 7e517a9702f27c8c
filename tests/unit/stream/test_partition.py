"""What one partition hands to its writer, and when: the order of rows, versions, flush and publication."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl

from kolray.clock import from_ms
from kolray.schemas.registry import FileRegistry
from kolray.settings import StreamSettings
from kolray.stream.checkpoint import FolderCheckpoints
from kolray.stream.decode import BatchDecoder
from kolray.stream.partition import PartitionRunner
from kolray.stream.shard import Shard
from kolray.stream.state import new_state
from kolray.testing.clock import FakeClock
from kolray.testing.sinks import ListSink
from kolray.testing.stream import MemoryLog, MemoryTopic
from tests.unit.stream.batches import T0, batch, records, social_frame

SETTINGS = StreamSettings(windows=("5m",), checkpoint_interval_s=60, flush_interval_s=1)
MINUTE = 60_000


def _shard(folder: Path, clock: FakeClock, sink: ListSink, *, until_end: bool = False) -> Shard:
    rows = [{"event_id": f"e{i}", "event_time": T0 + i * MINUTE, "likes": 1} for i in range(4)]
    items = records("social", social_frame(rows))
    log = MemoryLog([batch("social", [item], base=i, at_ms=T0 + i * MINUTE) for i, item in enumerate(items)])
    runner = PartitionRunner(
        partition=0,
        state=new_state(SETTINGS),
        checkpoints=FolderCheckpoints(folder),
        publisher=MemoryTopic().publisher(0),
        writer=sink,
        clock=clock,
        broker={"cluster": "one"},
    )
    return Shard({0: runner}, log.source, BatchDecoder(FileRegistry()), SETTINGS, clock, until_end=until_end)


def test_open_windows_are_written_once_a_flush_and_only_what_changed(tmp_path: Path) -> None:
    clock, sink = FakeClock(from_ms(T0)), ListSink()
    shard = _shard(tmp_path, clock, sink)
    shard.restore()
    for _ in range(4):
        shard.step()
    assert sink.window_rows == []  # the flush interval has not passed
    clock.advance(1)
    shard.step()
    [(rows, _)] = sink.window_rows
    assert rows.select("likes", "final").rows() == [(4, False)]
    assert sink.refreshes == 1
    clock.advance(1)
    shard.step()
    assert len(sink.window_rows) == 1
    assert sink.refreshes == 2
    assert sink.flushes == 0


def test_a_checkpoint_leaves_a_line_with_the_numbers_of_its_partitions(tmp_path: Path, written: io.StringIO) -> None:
    clock = FakeClock(from_ms(T0))
    shard = _shard(tmp_path, clock, ListSink())
    shard.restore()
    for _ in range(4):
        shard.step()
    clock.advance(SETTINGS.checkpoint_interval_s)
    shard.step()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    [made] = [line for line in lines if line["message"] == "checkpoints made"]
    newest = FolderCheckpoints(tmp_path).newest(0)
    assert newest is not None
    assert made["checkpoints"] == {"0": newest.number}
    assert made["logger"] == "kolray.stream.shard"


def test_a_window_is_final_when_time_has_passed_it(tmp_path: Path) -> None:
    clock, sink = FakeClock(from_ms(T0 + 3 * MINUTE)), ListSink()
    shard = _shard(tmp_path, clock, sink)
    shard.restore()
    for _ in range(4):
        shard.step()
    clock.advance(121)  # the newest event is from minute 3; the window ends at 5 and 5 s of disorder are allowed
    shard.step()
    assert not any(rows["final"].any() for rows, _ in sink.window_rows)
    clock.advance(5)
    shard.step()
    finals = pl.concat(rows for rows, _ in sink.window_rows).filter("final")
    assert finals.select("kol_id", "window_start", "likes").rows() == [("kol_1", from_ms(T0), 4)]


def test_without_traffic_a_window_is_closed_when_it_ends_and_not_when_a_long_wait_for_records_does(
    tmp_path: Path,
) -> None:
    clock = FakeClock(from_ms(T0 + 3 * MINUTE))
    shard = _shard(tmp_path, clock, ListSink())
    shard.restore()
    waited_s = []
    for passed_s in (0, 0, 0, 0, 0, 124.8, 0, 0.19, 0):  # the window's end is 120 s and 5 s of disorder away
        clock.advance(passed_s)
        shard.step()
        waited_s.append(shard.source.waited_s)  # type: ignore[attr-defined]
    assert waited_s[4:6] == [0.5, 0.5]
    assert waited_s[6:] == [0.2, 0.2, 0.05]


def test_versions_rise_although_the_clock_stands_still(tmp_path: Path) -> None:
    clock, sink = FakeClock(from_ms(T0)), ListSink()
    shard = _shard(tmp_path, clock, sink)
    shard.restore()
    runner = shard.runners[0]
    versions = [runner.version() for _ in range(3)]
    assert [v.at_us for v in versions] == sorted({v.at_us for v in versions})
    assert {v.epoch for v in versions} == {runner.epoch}
    again = _shard(tmp_path, clock, sink)
    again.restore()
    assert again.runners[0].epoch > runner.epoch


def test_a_bounded_run_flushes_its_rows_before_it_is_finished(tmp_path: Path) -> None:
    sink = ListSink()
    shard = _shard(tmp_path, FakeClock(from_ms(T0)), sink, until_end=True)
    shard.restore()
    while not shard.finished:
        shard.step()
    assert sink.flushes == 1
    assert all(rows["final"].all() for rows, _ in sink.window_rows)
    assert sum(rows["likes"].sum() for rows, _ in sink.window_rows) == 4
    assert not sink.closed
    shard.close()
    assert sink.closed


def test_of_two_owners_that_resume_at_one_snapshot_the_later_writes_newer_rows(tmp_path: Path) -> None:
    clock, sink = FakeClock(from_ms(T0)), ListSink()
    finished = _shard(tmp_path, clock, sink, until_end=True)
    finished.restore()
    while not finished.finished:
        finished.step()
    versions = [version.at_us for _, version in sink.window_rows]
    for _ in range(2):  # the first of them dies after some writes, without a snapshot of its own
        shard = _shard(tmp_path, clock, sink)
        shard.restore()
        versions += [shard.runners[0].version().at_us for _ in range(3)]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)
