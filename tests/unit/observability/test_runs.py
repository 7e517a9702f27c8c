"""What a job leaves about its runs, and what the exporter makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolray.exporter.runs import run_metrics
from kolray.observability.runs import Runs, recorded
from kolray.settings import Settings
from kolray.testing.clock import FakeClock


def _series(runs: Runs) -> dict[tuple[str, ...], float]:
    samples = [sample for family in run_metrics(runs) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_counts_of_runs_add_up_and_the_last_one_is_told(tmp_path: Path) -> None:
    clock = FakeClock()
    runs = Runs(tmp_path, clock)
    for rows, seconds in ((5, 2), (7, 3)):
        with runs.record("lake silver") as counts:
            clock.advance(seconds)
            counts["silver.web"] = rows
    told = _series(runs)
    assert told["kolray_run_rows_total", "lake silver", "silver.web"] == 12
    assert told["kolray_run_seconds_total", "lake silver"] == 5
    assert told["kolray_run_last_seconds", "lake silver"] == 3
    assert told["kolray_run_total", "lake silver", "ok"] == 2
    assert told["kolray_run_last_failed", "lake silver"] == 0
    assert told["kolray_run_success_timestamp_seconds", "lake silver"] == clock.now().timestamp()


def test_a_run_that_raises_is_recorded_and_the_error_goes_on(tmp_path: Path) -> None:
    @recorded("drift")
    def job(_: Settings) -> dict[str, int]:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        job(Settings(home=tmp_path))
    told = _series(Runs(tmp_path))
    assert told["kolray_run_last_failed", "drift"] == 1
    assert ("kolray_run_success_timestamp_seconds", "drift") not in told


def test_a_recorded_job_counts_the_integers_it_returns(tmp_path: Path) -> None:
    @recorded("lake bronze")
    def job(_: Settings) -> dict[str, object]:
        return {"bronze.web": 3, "skipped": "nothing", "done": True}

    job(Settings(home=tmp_path))
    assert Runs(tmp_path).read()["lake bronze"]["rows"] == {"bronze.web": 3}


def test_a_folder_that_cannot_be_written_does_not_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file where the folder should be")
    with Runs(tmp_path).record("lake gold") as counts:
        counts["gold.features"] = 1
