"""Types statements into one bash, as a reader would: variables and folders stay, Ctrl-C interrupts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from select import select

import psutil

INTERRUPTED = (0, 130)
"""What a command may end with that was interrupted by Ctrl-C."""


class Session:
    """One terminal.

    Args:
        folder: where it begins.
        env: all of its environment.
        log: what the commands write, both streams.
    """

    def __init__(self, folder: Path, env: dict[str, str], log: Path) -> None:
        self._log, self._script = log, log.with_suffix(".sh")
        self._ended, told = os.pipe()
        with log.open("ab") as output:
            self._bash = subprocess.Popen(
                ["env", "--default-signal=INT", "bash", "--norc"], stdin=subprocess.PIPE, stdout=output, stderr=output,
                cwd=folder, env=env, pass_fds=(told,),
            )  # fmt: skip
        os.close(told)
        self._tell(f"exec {{said}}>&{told} {told}>&-; set -m +o history")  # with job control, as a terminal has

    def type(self, script: str, limit_s: float = 600) -> tuple[int, str]:
        """Exit code and output of a statement.

        Raises:
            AssertionError: it does not end in time.
        """
        began = self._log.stat().st_size
        self._script.write_text(script + "\n")
        self._tell(f". {self._script} </dev/null; echo $? >&$said")
        return int(self._hear(script, limit_s)), self._since(began)

    def start(self, script: str, until: str, limit_s: float = 300) -> int:
        """Types a statement that does not end by itself, and waits until its output has ``until``; its process group.

        Raises:
            AssertionError: it ended, or does not say so in time.
        """
        began = self._log.stat().st_size
        self._script.write_text(script + "\n")
        self._tell(f"( . {self._script} ) </dev/null & echo $! >&$said")
        group = int(self._hear(script, limit_s))
        deadline = time.monotonic() + limit_s
        while not re.search(until, self._since(began)):
            self._tell("jobs %% >/dev/null 2>&1 && kill -0 $! 2>/dev/null; echo $? >&$said")
            assert self._hear(script, limit_s) == "0", f"{script} ended:\n{self._since(began)}"
            if time.monotonic() > deadline:
                self.interrupt(group)  # it would go on beside the commands that follow
                raise AssertionError(f"{script} did not say {until}:\n{self._since(began)[-3000:]}")
            time.sleep(0.1)
        return group

    def interrupt(self, group: int, limit_s: float = 120) -> int:
        """Ctrl-C for what ``start`` began; its exit code."""
        os.killpg(group, signal.SIGINT)
        self._tell(f"wait {group}; echo $? >&$said")
        return int(self._hear(f"Ctrl-C for {group}", limit_s))

    def close(self) -> None:
        """Ends it."""
        self._bash.communicate(b"exit\n", timeout=30)
        os.close(self._ended)

    def _tell(self, line: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(line.encode() + b"\n")
        self._bash.stdin.flush()

    def _hear(self, script: str, limit_s: float) -> str:
        ready, _, _ = select([self._ended], [], [], limit_s)
        if not ready:
            for process in (*psutil.Process(self._bash.pid).children(recursive=True), self._bash):
                process.kill()
        assert ready, f"{script} did not end within {limit_s} s:\n{self._since(0)[-3000:]}"
        return os.read(self._ended, 100).decode().strip()

    def _since(self, place: int) -> str:
        with self._log.open("rb") as log:
            log.seek(place)
            return log.read().decode(errors="replace")
