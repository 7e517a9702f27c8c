"""A real Prometheus on rendered configuration, and what it answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kolray.local.ports import choose_port
from kolray.observability.config import Watched, write_config

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Prometheus is not here: apt-get install prometheus"
)


class Prometheus:
    """Asks the server at a port."""

    def __init__(self, port: int) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        answer = self._http.get("/api/v1/query", params={"query": expr}).json()
        assert answer["status"] == "success", (expr, answer)
        return list(answer["data"]["result"])

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        alerts = self._http.get("/api/v1/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@contextmanager
def prometheus(folder: Path, watched: Watched) -> Iterator[Prometheus]:
    """Runs one in a folder of its own until the end."""
    write_config(folder, watched)
    port = choose_port("prometheus")
    command = ["prometheus", f"--config.file={folder / 'prometheus' / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        server = Prometheus(port)
        wait(server.ready, 30)
        yield server
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def exporter(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """``kolray observe export`` of a home, from when it answers."""
    command = [str(Path(sys.executable).with_name("kolray")), "observe", "export", "--port", str(port), "--keep", "1"]
    env = os.environ | {"KOLRAY_HOME": str(home)}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(lambda: _answers(f"http://127.0.0.1:{port}/metrics"), 60)
        yield process
    finally:
        process.kill()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def wait(done: Callable[[], bool], limit_s: float) -> float:
    """Returns the seconds it took until ``done``; fails after ``limit_s``."""
    started = time.monotonic()
    while not done():
        assert time.monotonic() - started < limit_s, f"not so within {limit_s:g} s"
        time.sleep(0.2)
    return time.monotonic() - started


def until_firing(server: Prometheus, names: Iterable[str], limit_s: float, *, firing: bool = True) -> dict[str, float]:
    """Name of an alert → seconds until it fired, or with ``firing`` off until it no longer did."""
    wanted, seen, started = set(names), dict[str, float](), time.monotonic()
    while wanted - set(seen):
        now = server.firing()
        reached = wanted & now if firing else wanted - now
        for name in reached - set(seen):
            seen[name] = time.monotonic() - started
        left = wanted - set(seen)
        assert not left or time.monotonic() - started < limit_s, f"{sorted(left)}: not within {limit_s:g} s"
        time.sleep(0.2)
    return seen
