"""Runs a command and accounts for its whole process tree: CPU seconds and proportional memory, over time."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

import psutil

from kolray.errors import KolrayError

EVERY_S = 0.1
MEMORY_EVERY = 5
"""Samples of CPU for one of memory, which takes longer."""


@dataclass
class Meter:
    """CPU seconds used so far by processes that may end, and the largest sum of their proportional memory (PSS)."""

    root: psutil.Process
    peak_pss_mb: float = 0.0
    trace: list[tuple[float, float]] = field(default_factory=list)
    """(unix time, CPU seconds up to it)."""
    _cpu: dict[tuple[int, float], float] = field(default_factory=dict)

    def sample(self, memory: bool) -> float:
        """One look at every process of the tree; returns the CPU seconds so far."""
        pss = 0
        for process in self._family():
            try:
                times = process.cpu_times()
                self._cpu[process.pid, process.create_time()] = times.user + times.system
                pss += process.memory_full_info().pss if memory else 0
            except psutil.Error:
                continue
        self.peak_pss_mb = max(self.peak_pss_mb, pss / 2**20)
        total = sum(self._cpu.values())
        self.trace.append((time.time(), total))
        return total

    def _family(self) -> list[psutil.Process]:
        try:
            return [self.root, *self.root.children(recursive=True)]
        except psutil.Error:
            return []

    def cpu_at(self, at: float) -> float:
        """CPU seconds used up to a moment, between samples in proportion."""
        before = max((sample for sample in self.trace if sample[0] <= at), default=self.trace[0])
        after = min((sample for sample in self.trace if sample[0] > at), default=self.trace[-1])
        if after[0] <= before[0]:
            return before[1]
        return before[1] + (after[1] - before[1]) * (at - before[0]) / (after[0] - before[0])


Mark = tuple[float, float]
"""Seconds of a clock that never runs back, and CPU seconds used up to then."""
MARKS = ("@job_start", "@job_end")


@dataclass(frozen=True)
class Measured:
    """A command's marks (``MARKS`` and perhaps others: lines of their own that begin with ``@``) and its last line."""

    marks: dict[str, Mark]
    meter: Meter
    last: str

    def between(self, start: str, end: str = "@job_end") -> tuple[float, float]:
        """Seconds and CPU seconds from one mark to another."""
        (t0, c0), (t1, c1) = self.marks[start], self.marks[end]
        return t1 - t0, c1 - c0


def measure(command: list[str], env: Mapping[str, str] | None = None, errors: IO[str] | None = None) -> Measured:
    """Runs a command to its end.

    Args:
        env: its environment; none: ours.
        errors: where its standard error goes; none: to ours.

    Raises:
        KolrayError: it failed, or did not print both marks.
    """
    process = subprocess.Popen(command, env=env, stderr=errors, stdout=subprocess.PIPE, text=True, bufsize=1)
    meter, done = Meter(psutil.Process(process.pid)), threading.Event()
    marks: dict[str, Mark] = {}

    def watch() -> None:
        n = 0
        while not done.wait(EVERY_S):
            meter.sample(memory=n % MEMORY_EVERY == 0)
            n += 1

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    last = ""
    for line in process.stdout or ():
        if line.startswith("@"):
            marks[line.strip()] = time.monotonic(), meter.sample(memory=False)
        last = line.strip() or last
    code = process.wait()
    done.set()
    thread.join()
    if code or not marks.keys() >= set(MARKS):
        raise KolrayError(f"the measured engine ended with exit code {code}; its own error stands above")
    return Measured(marks, meter, last)
