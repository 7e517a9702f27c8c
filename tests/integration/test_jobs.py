"""Every job by ``ray job submit`` and ``serve deploy``, on a Ray cluster of the test's own."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from kolray import local
from kolray.clock import SystemClock
from kolray.local.ports import choose_port
from kolray.models.nightly import steps
from kolray.serving.tokens import Tokens
from kolray.settings import Settings, load_settings
from kolray.stores.open import open_metrics_store
from kolray.stream.topics import ensure_topics
from tests.ray_head import BIN, ROOT, ray_head
from tests.waiting import until

JOBS = [
    "generate.py 100 78",
    "stream.py --until-end",
    "bronze.py",
    "silver.py",
    "gold.py",
    "train_trust.py",
    "train_success.py",
    "forecast.py",
    "maintain.py",
    "nightly.py",
    "verify.py",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The embedded profile for all jobs of this module."""
    folder = tmp_path_factory.mktemp("jobs")
    local.up("embedded", folder, os.getpid())
    settings = load_settings(home=folder)
    ensure_topics(settings.kafka)
    open_metrics_store(settings).migrate()
    yield settings
    local.down(folder)


@pytest.fixture(scope="module")
def dashboard(home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A head node's address for job submission."""
    with ray_head(home.home, tmp_path_factory.mktemp("ray") / "head.log") as address:
        yield address


def _submit(dashboard: str, home: Settings, job: str, *options: str | Path) -> str:
    """Output of a job whose file is this repository's, or that of a working directory among ``options``."""
    script, *arguments = job.split()
    path = f"jobs/{script}" if "--working-dir" in options else str(ROOT / "jobs" / script)
    submit = [BIN / "ray", "job", "submit", "--address", dashboard, *options]
    command = [*submit, "--", sys.executable, path, *arguments]
    env = os.environ | {"KOLRAY_HOME": str(home.home)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=240, cwd=ROOT)
    assert done.returncode == 0, f"{job}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_every_job_runs_by_submission_and_serve_deploys(dashboard: str, home: Settings, tmp_path: Path) -> None:
    assert {job.split()[0] for job in JOBS} | {"demo.py"} == {file.name for file in (ROOT / "jobs").glob("*.py")}
    _submit(dashboard, home, JOBS[0], "--working-dir", ROOT)
    outputs = {job.split()[0]: _submit(dashboard, home, job) for job in JOBS[1:]}
    verdict = next(line for line in outputs["verify.py"].splitlines() if line.startswith('{"windows"'))
    assert json.loads(verdict)["differences"] == 0
    _check_deployment(dashboard, home, tmp_path)


def _check_deployment(dashboard: str, home: Settings, tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "serve_configs" / "dev.yaml").read_text())
    config["http_options"]["port"] = port = choose_port("serving")
    file = tmp_path / "dev.yaml"
    file.write_text(yaml.safe_dump(config))
    command = [BIN / "serve", "deploy", str(file), "-a", dashboard]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    until("the API answers", lambda: httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).is_success)
    token = Tokens.of(home).create("jobs", ("score",), 100)
    answer = httpx.post(
        f"http://127.0.0.1:{port}/kol/score",
        json={"kol_id": "kol_000001"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert 0 <= answer.json()["trust_score"] <= 100


@pytest.mark.parametrize("file", ["cluster.yaml", "cluster-aws.yaml"])
def test_cluster_files_pass_rays_own_validation(file: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((ROOT / file).read_text())
    validate_config(prepare_config(config))
    for mounted in set(config["file_mounts"].values()) - {"dist", "cluster-aws.env"}:
        assert (ROOT / mounted).exists()


def test_the_airflow_dag_has_the_steps_of_the_night(home: Settings) -> None:
    tree = ast.parse((ROOT / "jobs" / "airflow" / "kolray_nightly.py").read_text())
    [told] = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "STEPS"
    ]
    assert list(ast.literal_eval(told)) == list(steps(home, SystemClock()))
