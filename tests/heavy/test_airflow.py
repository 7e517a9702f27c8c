"""The night as a DAG: a real Airflow, in an environment of its own, loads it and runs it as jobs of a real Ray."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jinja2
import polars as pl
import pytest

from kolray import local
from kolray.clock import SystemClock
from kolray.connectors.generator import WorldConfig, build_world
from kolray.lake.journal import NAME
from kolray.lake.tables import LakeTables
from kolray.lake.world import send_world
from kolray.models.nightly import nightly, steps
from kolray.settings import Settings, load_settings
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.topics import ensure_topics
from tests.ray_head import BIN, ROOT, ray_head
from tests.waiting import until

pytestmark = pytest.mark.heavy
DAG = ROOT / "jobs" / "airflow" / "kolray_nightly.py"
AIRFLOW = ROOT / ".venv-airflow" / "bin" / "python"
NIGHT = "2026-02-03"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The embedded profile with six hours of thirty KOLs in Kafka."""
    folder = tmp_path_factory.mktemp("airflow") / "home"
    local.up("embedded", folder, os.getpid())
    settings = load_settings(home=folder)
    ensure_topics(settings.kafka)
    open_metrics_store(settings).migrate()
    end = datetime.now(UTC) - timedelta(hours=2)
    send_world(settings, build_world(WorldConfig(n_kols=30, hours=6, seed=3, end=end)))
    yield settings
    local.down(folder)


@pytest.fixture(scope="module")
def address(home: Settings) -> Iterator[str]:
    """Where a Ray of ours takes jobs."""
    with ray_head(home.home, home.home / "head.log") as started:
        yield started


def test_airflow_runs_the_night_as_ray_jobs(home: Settings, address: str, tmp_path: Path) -> None:
    if not AIRFLOW.exists():
        pytest.skip("Airflow is not installed; `make test-heavy` installs it")
    told = _run_dag(tmp_path, address)
    expected = [step.replace(" ", "_") for step in steps(home, SystemClock())]
    assert told["errors"] == {}
    assert told["tasks"] == expected
    assert told["states"] == dict.fromkeys(expected, "success")
    assert sorted(_jobs(address, "SUCCEEDED")) == sorted(expected)
    _check_effects(home)


def test_a_task_fails_with_its_ray_job(address: str) -> None:
    assert _submit(address, "failing", "false").wait(120) != 0
    assert _jobs(address, "FAILED") == ["failing"]


def test_a_task_that_is_killed_stops_its_ray_job(address: str) -> None:
    task = _submit(address, "endless", f"{sys.executable} -c 'import time; time.sleep(600)'")
    until("the job runs", lambda: _jobs(address, "RUNNING") == ["endless"])
    os.killpg(task.pid, signal.SIGTERM)  # as Airflow does
    assert task.wait(60) != 0
    until("the job is stopped", lambda: _jobs(address, "STOPPED") == ["endless"])


def _submit(address: str, task: str, command: str) -> subprocess.Popen[bytes]:
    """What a task of the DAG runs, with another command in kolray's place."""
    [submit] = [node.value for node in ast.parse(DAG.read_text()).body if ast.unparse(node).startswith("SUBMIT =")]
    variables = {"kolray_ray": str(BIN / "ray"), "kolray_ray_address": address, "kolray_command": command}
    script = jinja2.Template(ast.literal_eval(submit).replace("| ds", "")).render(
        var={"value": variables}, task={"task_id": task}, params={"step": "gold"}, dag_run={"logical_date": NIGHT}
    )
    return subprocess.Popen(["bash", "-c", script], start_new_session=True, stdout=subprocess.DEVNULL)


def _jobs(address: str, status: str) -> list[str]:
    """Tasks whose Ray jobs have this status."""
    jobs = httpx.get(f"{address}/api/jobs/", timeout=30).raise_for_status().json()
    ids = [job["submission_id"] for job in jobs if job["status"] == status]
    return [name.split("-")[1] for name in ids if name and name.startswith("kolray-")]


def _run_dag(folder: Path, address: str) -> dict[str, Any]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAG.parent),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_VAR_KOLRAY_RAY": str(BIN / "ray"),
        "AIRFLOW_VAR_KOLRAY_RAY_ADDRESS": address,
        "AIRFLOW_VAR_KOLRAY_COMMAND": str(BIN / "kolray"),
    }
    _run([AIRFLOW.with_name("airflow"), "db", "migrate"], env)
    script = [AIRFLOW, Path(__file__).with_name("run_dag.py"), "kolray_nightly", NIGHT]
    told: dict[str, Any] = json.loads(_run(script, env).splitlines()[-1])
    return told


def _run(command: list[Path | str], env: dict[str, str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=600)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def _check_effects(home: Settings) -> None:
    """Each step left what it makes, and its record: nothing is left to do for that night."""
    tables = LakeTables(home.lake_root)
    for name in ("bronze.social", "silver.social", "gold.kpi_daily", "gold.features"):
        assert tables.scan(name).collect().height, name
    assert open_feature_store(home.redis).get_features("kol_000001")
    record = tables.scan(NAME).filter(pl.col("run") == f"nightly {NIGHT}").sort("started_at").collect()
    assert record["ok"].all()
    assert record["step"].to_list() == list(steps(home, SystemClock()))
    rest = nightly(home, datetime.fromisoformat(NIGHT).date(), started=lambda _: None)
    assert all(step.before for step in rest)
