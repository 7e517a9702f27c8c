"""What a stream publishes about itself, and what a reader makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kolray.clock import to_ms
from kolray.observability.catalog import LONGER, POINTS
from kolray.observability.tally import Tally
from kolray.stream import status
from kolray.stream.meters import Meters
from kolray.stream.metrics import StreamCollector, prometheus
from kolray.stream.status import StatusFile, report
from kolray.stream.supervision import Supervision
from kolray.testing.clock import FakeClock

AT = to_ms(FakeClock().now()) / 1000


def _published() -> dict[str, Any]:
    watch = Supervision([[0], [1]], FakeClock(), hang_after_s=20)
    watch.started(0)
    watch.beat(0, 1, 4)
    watch.died(1)
    part = {"events": 9, "duplicates": 1, "late": 2, "rejected": 3, "windows": 5, "alerts": 0}
    part |= {"lag": 7, "state_bytes": 4096, "watermark_ms": int((AT - 12) * 1000), "checkpoint": 4, "epoch": 2}
    answer = {
        "pid": 4711,
        "node": "10.0.0.7",
        "checkpoint_at": AT - 3,
        "checkpoint_took_s": 0.25,
        "partitions": {0: part},
    }
    return report(watch, {0: answer}, "running", AT)


def test_ages_are_counted_up_to_the_publication() -> None:
    first, second = _published()["shards"]
    assert (first["state"], first["pid"], first["checkpoint_age_s"]) == ("running", 4711, 3.0)
    assert first["partitions"]["0"]["watermark_delay_s"] == 12.0
    assert first["partitions"]["0"]["lag"] == 7
    assert (second["state"], second["restarts"], second["reason"]) == ("waiting", 1, "its process died")


def test_a_partition_without_events_has_no_delay() -> None:
    watch = Supervision([[0]], FakeClock(), hang_after_s=20)
    [shard] = report(watch, {0: {"partitions": {0: {"watermark_ms": -1}}}}, "running", AT)["shards"]
    assert shard["partitions"]["0"]["watermark_delay_s"] is None
    assert shard["checkpoint_age_s"] is None


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = StatusFile(tmp_path, FakeClock())
    assert file.read() is None
    file.write(_published())
    assert file.read() == _published()
    assert [path.name for path in tmp_path.iterdir()] == ["stream.json"]


def test_a_run_that_was_killed_is_gone(tmp_path: Path) -> None:
    clock = FakeClock()
    file = StatusFile(tmp_path, clock)
    file.write(_published())
    clock.advance(11)
    read = file.read()
    assert read is not None
    assert read["state"] == "gone"


def test_a_process_that_is_gone_is_missed_at_once(tmp_path: Path) -> None:
    file = StatusFile(tmp_path, FakeClock())
    ended = subprocess.Popen(["true"])
    ended.wait()
    file.write(_published() | {"pid": ended.pid})
    assert _state(file) == "gone"


@pytest.mark.parametrize("name", ["stream.json", "follow.json"])
def test_another_container_goes_by_the_age_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    clock = FakeClock()
    file = StatusFile(tmp_path, clock, name)
    monkeypatch.setattr(status, "processes", lambda: "ray-head/4026532201")
    file.write(_published() | {"pid": 2**22 + 1})
    monkeypatch.setattr(status, "processes", lambda: "observe/4026532307")
    assert _state(file) == "running"
    clock.advance(11)
    assert _state(file) == "gone"


@pytest.mark.machine
def test_a_pid_namespace_is_told_from_another() -> None:
    unshare = shutil.which("unshare")
    command = [str(unshare), "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no PID namespaces")
    tell = [sys.executable, "-c", "from kolray.stream.status import processes; print(processes())"]
    outside, inside = (subprocess.check_output(way, text=True).strip() for way in (tell, [*command, *tell]))
    assert outside == status.processes()
    assert inside != outside
    assert inside.split("/")[0] == outside.split("/")[0], "the host's name is the same"


def _state(file: StatusFile) -> str:
    read = file.read()
    assert read is not None
    return str(read["state"])


def test_a_run_that_ended_stays_ended(tmp_path: Path) -> None:
    clock = FakeClock()
    file = StatusFile(tmp_path, clock)
    file.write(_published() | {"state": "ended", "pid": os.getpid()})
    clock.advance(3600)
    read = file.read()
    assert read is not None
    assert read["state"] == "ended"


def test_prometheus_names_carry_units_and_labels() -> None:
    lines = prometheus(_published()).splitlines()
    assert "kolray_stream_up 1.0" in lines
    assert 'kolray_stream_state{state="gone"} 0.0' in lines
    assert 'kolray_stream_shard_up{shard="0"} 1.0' in lines
    assert 'kolray_stream_lag_records{partition="0"} 7.0' in lines
    assert 'kolray_stream_watermark_delay_seconds{partition="0"} 12.0' in lines
    assert 'kolray_stream_checkpoint_duration_seconds{shard="0"} 0.25' in lines
    assert 'kolray_stream_shard_info{node="10.0.0.7",shard="0"} 1.0' in lines
    assert 'kolray_stream_restarts_total{shard="1"} 1.0' in lines
    assert 'kolray_stream_dead_letters_total{partition="0"} 3.0' in lines
    assert not any("checkpoint_age" in line and 'shard="1"' in line for line in lines)


def test_prometheus_says_when_nothing_runs() -> None:
    assert "kolray_stream_up 0.0" in prometheus(None).splitlines()


def test_what_writes_took_is_a_histogram() -> None:
    meters = Meters()
    for seconds in (0.02, 0.2, 99.0):
        meters.writes.add(seconds)
    published = _published()
    published["shards"][0]["meters"] = meters.told()
    lines = prometheus(published).splitlines()
    assert 'kolray_stream_sink_write_seconds_bucket{le="0.025",shard="0"} 1.0' in lines
    assert 'kolray_stream_sink_write_seconds_bucket{le="60.0",shard="0"} 2.0' in lines
    assert 'kolray_stream_sink_write_seconds_count{shard="0"} 3.0' in lines


def test_who_waits_for_a_score_is_told() -> None:
    published = _published()
    seconds, points = Tally(LONGER), Tally(POINTS)
    seconds.add(0.3)
    points.add_all(np.array([3.0, 97.5, 98.0]))
    told = {"scored": 40, "failed": 1, "waiting": 7, "oldest_s": 12.5}
    told |= {"seconds": seconds.told(), "points": points.told()}
    published["shards"][0]["scoring"] = told
    lines = prometheus(published).splitlines()
    assert 'kolray_stream_scores_total{shard="0"} 40.0' in lines
    assert 'kolray_stream_scores_waiting_kols{shard="0"} 7.0' in lines
    assert 'kolray_stream_scores_oldest_seconds{shard="0"} 12.5' in lines
    assert 'kolray_stream_scores_seconds_count{shard="0"} 1.0' in lines
    assert 'kolray_stream_score_points_bucket{le="90.0",shard="0"} 1.0' in lines
    assert 'kolray_stream_score_points_count{shard="0"} 3.0' in lines


def test_a_shard_that_restarts_from_its_checkpoint_lowers_no_counter() -> None:
    published = _published()
    collector, part = StreamCollector(lambda: published), published["shards"][0]["partitions"]["0"]

    def events() -> float:
        [family] = [family for family in collector.collect() if family.name == "kolray_stream_events"]
        return float(family.samples[0].value)

    seen = []
    for events_now, checkpoint in ((9, 4), (6, 4), (8, 5), (11, 5), (2, 1)):
        part |= {"events": events_now, "checkpoint": checkpoint}
        seen.append(events())
    assert seen == [9, 9, 9, 11, 2], "only checkpoints that begin anew begin the counters anew"
