"""Turns without locks: who is at work is waited for, who was killed is not."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from kolray.clock import SystemClock
from kolray.errors import ConflictError
from kolray.lake import leases
from kolray.lake.leases import ERASURE, FOLDER, JOB, Lease, Others, erasure, job
from kolray.stream.objects import FolderObjects
from kolray.testing.clock import FakeClock

BUSY = ConflictError("busy")


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path)


def test_jobs_run_beside_each_other_and_an_erasure_alone(objects: FolderObjects) -> None:
    clock = FakeClock()
    with job(objects, clock), job(objects, clock), pytest.raises(ConflictError), erasure(objects, clock, 0, BUSY):
        pass
    with erasure(objects, clock, 0, BUSY), pytest.raises(ConflictError), erasure(objects, clock, 5, BUSY):
        pass
    with erasure(objects, clock, 0, BUSY):
        assert len(objects.names(FOLDER)) == 1
    assert objects.names(FOLDER) == []


def test_a_job_waits_for_an_erasure_and_says_so(
    objects: FolderObjects, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LOOK_S", 0.01)
    began = threading.Event()

    def work() -> None:
        with job(objects, SystemClock()):
            began.set()

    with erasure(objects, SystemClock(), 0, BUSY):
        thread = threading.Thread(target=work)
        thread.start()
        assert not began.wait(0.2)
    thread.join()
    assert began.is_set()
    assert "waiting for the erasure" in caplog.text


@pytest.mark.parametrize("kind", [JOB, ERASURE])
def test_a_killed_process_is_not_waited_for_beyond_a_minute(objects: FolderObjects, kind: str) -> None:
    objects.put(f"{FOLDER}/{kind}-0", b"7")
    clock = FakeClock()
    with pytest.raises(ConflictError), erasure(objects, clock, leases.DEAD_S / 2, BUSY):
        pass
    with erasure(objects, clock, 2 * leases.DEAD_S, BUSY):
        pass
    assert objects.names(FOLDER) == []


def test_a_turn_that_is_renewed_lives(objects: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_S", 0.01)
    clock = FakeClock()
    others = Others(objects, clock)
    with Lease(objects, JOB) as mine:
        for _ in range(5):
            assert others.alive(JOB) == [mine.name]
            before = objects.get(f"{FOLDER}/{mine.name}")
            while objects.get(f"{FOLDER}/{mine.name}") == before:
                pass
            clock.sleep(leases.DEAD_S)
        assert others.alive(ERASURE) == []


def test_erasures_at_the_same_moment_take_turns(objects: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LOOK_S", 0.01)
    at_work: list[int] = []
    begin, most = threading.Barrier(4), []

    def erase(number: int) -> None:
        begin.wait()
        with erasure(objects, SystemClock(), 30, BUSY):
            at_work.append(number)
            most.append(len(at_work))
            at_work.remove(number)

    threads = [threading.Thread(target=erase, args=(n,)) for n in range(4)]
    with ExitStack() as stack:
        stack.enter_context(job(objects, SystemClock()))
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]
