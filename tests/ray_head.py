"""Ray of a test's own: a head that takes jobs, several nodes on this machine, or one in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import ray

from kolray.local.ports import choose_port
from tests.network import Network

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
def ray_head(
    home: Path,
    log: Path,
    gcs_port: int | None = None,
    token: str | None = None,
    network: Network | None = None,
    dashboard_port: int | None = None,
    programs: Path = BIN,
    folder: Path = ROOT,
) -> Iterator[str]:
    """A head node on free ports whose jobs find kolray's settings in ``home``; yields its address for submission.

    Args:
        token: what it was told by ``RAY_AUTH_TOKEN`` or its file, where it asks for one.
        network: it is this one's first node; none: it is on this machine's loopback.
        programs: where Ray is installed.
        folder: where jobs are started.
    """
    ports = {"port": gcs_port or choose_port("port"), "dashboard-port": dashboard_port or choose_port("dashboard-port")}
    ports["ray-client-server-port"] = choose_port("ray-client-server-port")
    flags = ["--head", "--include-dashboard=true", "--dashboard-host=127.0.0.1", *_place(network, 0)]
    start = [str(programs / "ray"), "start", *flags, *(f"--{name}={port}" for name, port in ports.items())]
    # A job joins the Ray that began last of those with its temporary folder (of a short path, for sockets): one that
    # others cannot reach has a folder of its own.
    temporary = tempfile.mkdtemp(prefix="ray", dir="/tmp") if network else None
    if network:
        start = [*network.within(0), *start, f"--temp-dir={temporary}"]
    head = _start(start, home, log, folder)
    port = ports["dashboard-port"]
    address = f"http://{network.lead_in(0, port) if network else f'127.0.0.1:{port}'}"
    try:
        _wait_for_jobs(address, 240, {"Authorization": f"Bearer {token}"} if token else {})
        yield address
    finally:
        _end(head)
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def ray_cluster(
    home: Path, logs: Path, workers: int, network: Network | None = None
) -> Iterator[tuple[str, list[psutil.Process]]]:
    """A head and further nodes, each with an address of its own; yields where to submit, and the further nodes.

    Without a ``network`` all share this machine's loopback.
    """
    gcs_port = choose_port("port")
    head = network.addresses[0] if network else "127.0.0.1"
    with ray_head(home, logs / "head.log", gcs_port, network=network) as address:
        flags = [f"--address={head}:{gcs_port}", "--min-worker-port=0", "--max-worker-port=0"]
        nodes: list[subprocess.Popen[bytes]] = []
        try:
            for n in range(1, workers + 1):
                log = logs / f"node{n}.log"
                where = network.within(n) if network else []
                start = [*where, str(BIN / "ray"), "start", *flags, *_place(network, n)]
                nodes.append(_start(start, home, log))
                # One after another: two at once may choose the same name for their sockets, and one dies.
                _wait_until_up(nodes[-1], log, 240)
            yield address, [psutil.Process(node.pid) for node in nodes]
        finally:
            for node in nodes:
                _end(node)


def _place(network: Network | None, node: int) -> list[str]:
    return [f"--node-ip-address={network.addresses[node] if network else f'127.0.0.{node + 1}'}"]


def title(process: psutil.Process) -> str:
    """A worker's says what runs in it; empty where it ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _start(start: list[str], home: Path, log: Path, folder: Path = ROOT) -> subprocess.Popen[bytes]:
    agents = ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "runtime-env-agent-port")
    # An agent that finds its usual port taken, by another Ray of this machine, never takes a job.
    command = [
        sys.executable, "-m", "kolray.local.watchdog", str(os.getpid()),  # so that no crash leaves it behind
        *start, "--block", "--num-cpus=4", "--object-store-memory=300000000",
        *(f"--{name}={choose_port(name)}" for name in agents),
    ]  # fmt: skip
    with log.open("wb") as output:
        env = os.environ | {"KOLRAY_HOME": str(home), "RAY_raylet_start_wait_time_s": "120"}
        return subprocess.Popen(command, env=env, stdout=output, stderr=output, cwd=folder)


def _wait_until_up(node: subprocess.Popen[bytes], log: Path, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while "Ray runtime started" not in log.read_text():
        assert node.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.1)


def _end(node: subprocess.Popen[bytes]) -> None:
    if node.poll() is not None:
        return
    family = psutil.Process(node.pid).children(recursive=True)
    node.terminate()
    _, left = psutil.wait_procs([psutil.Process(node.pid), *family], timeout=5)
    for process in left:
        process.kill()
    node.wait()


def _wait_for_jobs(address: str, limit_s: float, headers: dict[str, str]) -> None:
    """A head answers before its agent has registered, and refuses jobs until then: one that does nothing tells."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            answer = httpx.post(f"{address}/api/jobs/", json={"entrypoint": "true"}, headers=headers, timeout=30)
            if answer.is_success:
                return
            refusal = answer.text
        except httpx.HTTPError as error:
            refusal = str(error)
        assert time.monotonic() < deadline, f"{address} takes no jobs: {refusal}"
        time.sleep(0.3)
