"""The application on Ray Serve and on uvicorn alone, each a process of its own as long as it is measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import psutil

from kolray.errors import ServiceUnavailableError
from kolray.local.ports import LOOPBACK, choose_port
from kolray.local.process import kill_rest

START_S = 180
OPTIONS = {"KOLRAY_SERVING__CACHE_S": "0", "KOLRAY_SERVING__HOST": LOOPBACK}
"""Without its cache: what is measured is a score that is made."""


@contextmanager
def running(kind: str, home: str, env: Mapping[str, str]) -> Iterator[int]:
    """``ray`` or ``uvicorn``; yields its port once a model is loaded. All of its processes are gone afterwards.

    Raises:
        ServiceUnavailableError: it did not start.
    """
    port = choose_port(f"bench-{kind}")
    command = [sys.executable, "-m", "kolray.benchmarks.serving.plain", str(port)]
    if kind == "ray":
        command = [sys.executable, "-c", "from kolray.cli.main import main; main()", "serve"]
    mine = OPTIONS | {"KOLRAY_HOME": home, "KOLRAY_SERVING__PORT": str(port)} | dict(env)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | mine, stdout=quiet, stderr=quiet)
    try:
        _wait(kind, port, process)
        yield port
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGINT)  # as Ctrl-C: Ray Serve takes its HAProxy along, which is nobody's child
        kill_rest([*family, *_of(process)], 45)


def _of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [psutil.Process(process.pid)] if psutil.pid_exists(process.pid) else []


def _wait(kind: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            if httpx.get(f"http://{LOOPBACK}:{port}/readyz", timeout=5).is_success:
                return
        except httpx.HTTPError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServiceUnavailableError(f"kolray on {kind}", f"{LOOPBACK}:{port}", "run `kolray serve` to see why")
        time.sleep(0.2)
