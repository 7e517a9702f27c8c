"""Ray of a test's own: a head that takes jobs, or one in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import ray

from kolray.local.ports import choose_port

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@contextmanager
def own_ray() -> Iterator[None]:
    """A quiet one in this process."""
    ray.init(
        address="local", num_cpus=3, include_dashboard=False, object_store_memory=200 << 20,
        log_to_driver=False, logging_level="error",
    )  # fmt: skip
    yield
    ray.shutdown()


@contextmanager
def ray_head(home: Path, log: Path) -> Iterator[str]:
    """A head node on free ports whose jobs find kolray's settings in ``home``; yields its address for submission."""
    agents = ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "runtime-env-agent-port")
    # An agent that finds its usual port taken, by another Ray of this machine, never takes a job.
    ports = {name: choose_port(name) for name in ("port", "dashboard-port", "ray-client-server-port", *agents)}
    command = [
        sys.executable, "-m", "kolray.local.watchdog", str(os.getpid()),  # so that no crash leaves it behind
        str(BIN / "ray"), "start", "--head", "--block", "--num-cpus=4", "--include-dashboard=true",
        "--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1", "--object-store-memory=300000000",
        *(f"--{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    with log.open("wb") as output:
        env = os.environ | {"KOLRAY_HOME": str(home)}
        head = subprocess.Popen(command, env=env, stdout=output, stderr=output, cwd=ROOT)
    address = f"http://127.0.0.1:{ports['dashboard-port']}"
    try:
        _wait_for_jobs(address, 90)
        yield address
    finally:
        _end(head)


def _end(head: subprocess.Popen[bytes]) -> None:
    family = psutil.Process(head.pid).children(recursive=True)
    head.terminate()
    _, left = psutil.wait_procs([psutil.Process(head.pid), *family], timeout=5)
    for process in left:
        process.kill()
    head.wait()


def _wait_for_jobs(address: str, limit_s: float) -> None:
    """A head answers before its agent has registered, and refuses jobs until then: one that does nothing tells."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            answer = httpx.post(f"{address}/api/jobs/", json={"entrypoint": "true"}, timeout=30)
            if answer.is_success:
                return
            refusal = answer.text
        except httpx.HTTPError as error:
            refusal = str(error)
        assert time.monotonic() < deadline, f"{address} takes no jobs: {refusal}"
        time.sleep(0.3)
