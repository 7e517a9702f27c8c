"""Jobs beside each other, an erasure alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kolray.errors import ConflictError
from kolray.lake.turns import alone, lake_job


def test_jobs_run_beside_each_other_and_an_erasure_waits_for_them(tmp_path: Path) -> None:
    root = str(tmp_path)
    with lake_job(root), lake_job(root), pytest.raises(ConflictError, match="nothing was erased"):
        alone(root, wait_s=0).__enter__()
    with alone(root, wait_s=0):
        pass


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
