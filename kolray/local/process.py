"""Processes kolray starts: recorded by pid and start time, stopped by exactly that, never outliving their owner.

Every server runs under a small watchdog (``python -m kolray.local.watchdog``) that ends it when the owner is gone, even
after ``kill -9``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from kolray.errors import ServiceUnavailableError


@dataclass(frozen=True)
class Running:
    """A server that was started: its watchdog's identity, where it answers, and how it was started."""

    name: str
    pid: int
    started: float
    address: str
    command: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def alive(self) -> bool:
        """The same process as then: a recycled pid has another start time."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


class RunFolder:
    """``<home>/run``: one JSON file a server."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._run = home / "run"
        self._logs = home / "logs"

    def running(self) -> list[Running]:
        """Everything recorded, alive or not."""
        if not self._run.is_dir():
            return []
        return [Running(**json.loads(file.read_text())) for file in sorted(self._run.glob("*.json"))]

    def start(self, name: str, command: list[str], address: str, env: dict[str, str], owner_pid: int | None) -> Running:
        """Starts a server in the background, its output in ``<home>/logs/<name>.log``."""
        self._run.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        watchdog = [sys.executable, "-m", "kolray.local.watchdog", str(owner_pid or 0), *command]
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                watchdog, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | env, start_new_session=True
            )
        running = Running(name, process.pid, psutil.Process(process.pid).create_time(), address, command, env)
        (self._run / f"{name}.json").write_text(json.dumps(asdict(running)))
        return running

    def log(self, name: str) -> Path:
        """Where a server's output goes."""
        return self._logs / f"{name}.log"

    def stop(self, running: Running, wait_s: float = 20) -> None:
        """Ends one server by its recorded process and forgets it."""
        if running.alive():
            process = psutil.Process(running.pid)
            family = [process, *process.children(recursive=True)]
            process.terminate()
            kill_rest(family, wait_s)
        (self._run / f"{running.name}.json").unlink(missing_ok=True)


def kill_rest(processes: Iterable[psutil.Process], wait_s: float) -> None:
    """Waits until processes have ended, and kills those that do not within ``wait_s``."""
    same = [process for process in processes if process.is_running()]  # a number may have become a thread's
    _, left = psutil.wait_procs(same, timeout=wait_s)
    for stubborn in left:
        stubborn.kill()
    psutil.wait_procs(left, timeout=5)


def wait_until(name: str, running: Running, log: Path, answers: Callable[[], bool], limit_s: float = 60) -> None:
    """Returns when a server answers.

    Raises:
        ServiceUnavailableError: it ended or did not answer within ``limit_s``; the message ends with its last words.
    """
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if answers():
            return
        if not running.alive():
            break
        time.sleep(0.1)
    tail = " | ".join(log.read_text(errors="replace").splitlines()[-3:]) if log.exists() else ""
    raise ServiceUnavailableError(name, running.address, f"it did not start; see {log}: {tail}")
