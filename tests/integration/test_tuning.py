"""A search by Ray Tune on a lake: its trials in MLflow, its winner kept; killed, it goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kolray.errors import InvalidInputError, NotFoundError
from kolray.models.lifecycle import Kind
from kolray.models.registry import ModelRegistry
from kolray.models.search_log import EXPERIMENT
from kolray.models.space import Space
from kolray.models.success.space import SPACE as SUCCESS
from kolray.models.trust.space import SPACE as TRUST
from kolray.models.tuning import tune
from kolray.settings import Settings, load_settings
from tests.hourly import kpi_hourly
from tests.unit.models.test_trust import noisy_accounts

AT = datetime(2026, 1, 5, tzinfo=UTC)
CHILD = "parentRunId"


def lake_at(home: Path, n: int) -> Settings:
    """Settings of a home whose lake holds ``n`` labelled accounts."""
    features, labels = noisy_accounts(n)
    stamp = pl.lit(AT).cast(pl.Datetime("ms", "UTC"))
    features.with_columns(as_of=stamp).write_delta(str(home / "lake" / "gold" / "features"))
    held = labels.select("kol_id", pl.col("label").cast(pl.Int8), source=pl.lit("test"), at=stamp, valid_from=stamp)
    held.write_delta(str(home / "lake" / "ref" / "labels"))
    return load_settings(home=home)


def runs(settings: Settings) -> tuple[list[Any], list[Any]]:
    """Parents and trials of all searches in MLflow."""
    client, experiment = ModelRegistry.of(settings).experiment(EXPERIMENT)
    found = client.search_runs([experiment])
    trials = [run for run in found if f"mlflow.{CHILD}" in run.data.tags]
    return [run for run in found if run not in trials], trials


def hours_at(home: Path, n: int) -> Settings:
    """Settings of a home whose lake holds a few days of hours of ``n`` KOLs."""
    kpi_hourly(n, hours=120).write_delta(str(home / "lake" / "gold" / "kpi_hourly"))
    return load_settings(home=home)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("kind", "lake", "space", "loss"),
    [("trust", partial(lake_at, n=300), TRUST, "log_loss"), ("success", partial(hours_at, n=20), SUCCESS, "mase")],
)
def test_a_search_is_one_run_with_its_trials_below_and_what_wins_is_kept(
    kind: Kind, lake: Callable[[Path], Settings], space: Space, loss: str, tmp_path: Path
) -> None:
    settings = lake(tmp_path)
    with pytest.raises(NotFoundError, match="begin one"):
        tune(settings, kind, n_trials=3, resume=True)
    report, submission = tune(settings, kind, n_trials=3)
    [parent], trials = runs(settings)
    assert report.n_trials == len(trials) == 3
    assert {run.data.tags[f"mlflow.{CHILD}"] for run in trials} == {parent.info.run_id}
    assert all(run.info.status == "FINISHED" and run.data.metrics["loss"] > 0 for run in trials)
    assert parent.data.metrics[f"test_{loss}_tuned"] == report.test["tuned"][loss]
    assert any(run.data.params == {name: str(value) for name, value in space.defaults.items()} for run in trials)
    registry = ModelRegistry.of(settings)
    assert registry.kept_params(kind) == (report.params if report.kept else {})
    assert (submission is not None) is report.kept


def _start(home: Path, kind: Kind, *arguments: str) -> subprocess.Popen[str]:
    command = [
        Path(sys.executable).with_name("kolray"),
        "models",
        "tune",
        kind,
        "--trials",
        "8",
        "--json",
        *arguments,
    ]
    environment = {**os.environ, "KOLRAY_HOME": str(home), "RAY_AUTH_MODE": "disabled"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.heavy
@pytest.mark.parametrize(("kind", "lake"), [("trust", partial(lake_at, n=1500)), ("success", partial(hours_at, n=100))])
def test_a_search_whose_driver_is_killed_goes_on_and_runs_no_finished_trial_again(
    kind: Kind, lake: Callable[[Path], Settings], tmp_path: Path
) -> None:
    settings = lake(tmp_path)
    driver = _start(tmp_path, kind)
    done: list[Any] = []
    deadline = time.monotonic() + 240
    while len(done) < 3 and time.monotonic() < deadline:
        assert driver.poll() is None, "it ended before it could be killed"
        time.sleep(1)
        done = [run for run in runs(settings)[1] if run.info.status == "FINISHED"]
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    [parent], _ = runs(settings)
    assert parent.info.status == "RUNNING"

    with pytest.raises(InvalidInputError, match="other data"):
        tune(settings, kind, n_trials=8, seed=99, resume=True)
    told, _ = _start(tmp_path, kind, "--resume").communicate(timeout=400)
    assert json.loads(told)["n_trials"] == 8
    [parent], trials = runs(settings)
    assert parent.info.status == "FINISHED"
    assert len(trials) == 8
    after = {run.info.run_id: run.info.end_time for run in trials}
    assert all(after[run.info.run_id] == run.info.end_time for run in done), "a finished trial was run again"
