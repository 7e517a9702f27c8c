"""Jobs beside each other, an erasure alone."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from kolray.errors import ConflictError
from kolray.lake.turns import GATE, alone, lake_job


def test_jobs_run_beside_each_other_and_an_erasure_waits_for_them(tmp_path: Path) -> None:
    root = str(tmp_path)
    with lake_job(root), lake_job(root), pytest.raises(ConflictError, match="nothing was erased"):
        alone(root, wait_s=0).__enter__()
    with alone(root, wait_s=0):
        pass


def test_a_job_within_a_job_does_not_wait_for_who_waits_for_it(tmp_path: Path) -> None:
    root, ended = str(tmp_path), threading.Event()

    def erase() -> None:
        with alone(root, wait_s=60):
            ended.set()

    with lake_job(root):
        erasure = threading.Thread(target=erase)
        erasure.start()
        while _free(root):  # it has not come to the gate yet
            pass
        with lake_job(root):
            assert not ended.is_set()
    erasure.join()
    assert ended.is_set()


def _free(root: str) -> bool:
    with (Path(root) / GATE).open() as gate:
        try:
            fcntl.flock(gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_job_waits_for_an_erasure_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    began = threading.Event()

    def work() -> None:
        with lake_job(str(tmp_path)):
            began.set()

    with alone(str(tmp_path), wait_s=0):
        job = threading.Thread(target=work)
        job.start()
        assert not began.wait(0.3)
        with pytest.raises(ConflictError), alone(str(tmp_path), wait_s=0):
            pass
    job.join()
    assert began.is_set()
    assert "waiting for the erasure" in caplog.text
