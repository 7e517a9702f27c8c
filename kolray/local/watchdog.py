"""Runs one server; ends it when asked to or when its owner is gone: ``python -m kolray.local.watchdog OWNER CMD…``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from types import FrameType

import psutil


def watch(owner_pid: int, command: list[str]) -> int:
    """Returns the server's exit code. ``owner_pid`` 0: nobody owns it, it runs until it is stopped."""
    owner = psutil.Process(owner_pid) if owner_pid else None
    server = subprocess.Popen(command)

    def end(_signal: int, _frame: FrameType | None) -> None:
        server.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    while server.poll() is None:
        if owner is not None and not _alive(owner):
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
        time.sleep(0.2)
    return server.returncode


def _alive(owner: psutil.Process) -> bool:
    try:
        return owner.is_running() and owner.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(watch(int(sys.argv[1]), sys.argv[2:]))
