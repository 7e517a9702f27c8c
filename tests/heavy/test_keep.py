"""`kolray keep` and a Ray whose head forgets everything: the API and the stream come back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from kolray import local
from kolray.local.ports import choose_port
from tests.ray_head import BIN, ROOT, ray_head
from tests.waiting import until

pytestmark = pytest.mark.heavy


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The embedded profile."""
    local.up("embedded", tmp_path / "home", os.getpid())
    yield tmp_path / "home"
    local.down(tmp_path / "home")


@contextmanager
def _keep(home: Path, options: list[str], log: Path) -> Iterator[None]:
    env = os.environ | {"KOLRAY_HOME": str(home)}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [BIN / "kolray", "keep", "--every=1", *options], env=env, stdout=output, stderr=output, cwd=ROOT
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _check(home: Path, api: str) -> bool:
    env = os.environ | {"KOLRAY_HOME": str(home)}
    return (
        subprocess.run([BIN / "kolray", "keep", "--check", api], env=env, capture_output=True, check=False).returncode
        == 0
    )


def test_a_head_that_restarts_gets_the_api_and_the_stream_back(home: Path, tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "serve_configs" / "dev.yaml").read_text())
    config["http_options"]["port"] = port = choose_port("serving")
    file, api = tmp_path / "dev.yaml", f"--api=http://127.0.0.1:{port}"
    file.write_text(yaml.safe_dump(config))
    options = [f"--config={file}", f"--stream={sys.executable} {ROOT / 'jobs' / 'stream.py'}", api]
    log = tmp_path / "keep.log"
    ports = {"gcs_port": choose_port("gcs"), "dashboard_port": choose_port("dashboard")}
    with _keep(home, [*options, f"--ray=http://127.0.0.1:{ports['dashboard_port']}"], log):
        for life in range(1, 3):
            with ray_head(home, tmp_path / f"head{life}.log", **ports):
                until("the API answers and the stream runs", lambda: _check(home, api), log=log)
                told = log.read_text()
                assert told.count("the API was deployed (missing: kolray)") == life
                assert told.count("the stream was submitted (before: unknown)") == life
            until("both are missed", lambda: not _check(home, api), log=log)
