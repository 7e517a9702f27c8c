"""Everything started as a newcomer starts it: nothing of it listens beyond loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from kolray import local
from kolray.local.ports import choose_port
from kolray.models.lifecycle import submit, train
from kolray.models.registry import ModelRegistry
from kolray.settings import load_settings
from tests.listening import beyond_loopback, listeners
from tests.prometheus import wait
from tests.served import write_lake

pytestmark = pytest.mark.heavy
BIN = Path(sys.executable).parent
LIMIT_S = 300.0


@contextmanager
def _runs(env: dict[str, str], *words: str | Path) -> Iterator[psutil.Process]:
    """A command until the end of this, which its family does not outlive."""
    with subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        found = psutil.Process(process.pid)
        try:
            yield found
        finally:
            family = found.children(recursive=True)
            process.terminate()
            _, left = psutil.wait_procs([found, *family], timeout=20)
            for stubborn in left:
                stubborn.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).is_success
    except httpx.HTTPError:
        return False


def test_nothing_listens_beyond_loopback(tmp_path: Path) -> None:
    home, port, mlflow_port = tmp_path / "home", choose_port("serving"), choose_port("mlflow")
    env = os.environ | {"KOLRAY_HOME": str(home), "KOLRAY_SERVING__PORT": str(port), "KOLRAY_OBSERVE__PORT": "0"}
    subprocess.run([BIN / "kolray", "up"], env=env, check=True, capture_output=True)
    with ExitStack() as running:
        running.callback(local.down, home)
        settings = load_settings(home=home)
        write_lake(Path(settings.lake_root))
        for kind in ("trust", "success"):
            submit(ModelRegistry.of(settings), kind, train(kind, settings.lake_root))
        mlflow = ["--port", str(mlflow_port), "--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"]
        # One after the other: a busy machine starts none of them in time when all begin at once.
        started = {"serve": running.enter_context(_runs(env, BIN / "kolray", "serve"))}
        wait(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), LIMIT_S)
        started["stream"] = running.enter_context(_runs(env, BIN / "kolray", "stream"))
        wait((home / "stream.json").exists, LIMIT_S)
        started["mlflow"] = running.enter_context(_runs(env, BIN / "mlflow", "server", *mlflow))
        wait(lambda: _answers(f"http://127.0.0.1:{mlflow_port}/health"), LIMIT_S)
        services = {service.name: psutil.Process(service.pid) for service in local.status(home)}
        assert set(services) == {"kafka", "redis", "exporter"}
        found = {name: listeners(process) for name, process in (services | started).items()}
        assert [name for name, addresses in found.items() if not addresses] == [], "each has a port of its own"
        beyond = {name: beyond_loopback(told) for name, told in found.items()}
        assert {name: told for name, told in beyond.items() if told} == {}
        print({name: len(told) for name, told in found.items()})
