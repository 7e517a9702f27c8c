"""Peak memory of this process and everything it started."""

from __future__ import annotations

import threading

import psutil


class PeakMemory:
    """Samples the tree's proportional set size twice a second; shared pages count once."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self._peak = max(self._peak, self._now())

    def _now(self) -> int:
        total = 0
        roots = [psutil.Process()] + [psutil.Process(pid) for pid in self._pids if psutil.pid_exists(pid)]
        tree = {child.pid: child for root in roots for child in (root, *root.children(recursive=True))}
        for process in tree.values():
            try:
                full = process.memory_full_info()
            except psutil.Error:
                continue
            total += getattr(full, "pss", full.rss)
        return total

    def stop(self) -> float:
        """Peak in GB."""
        self._stop.set()
        self._thread.join()
        return self._peak / 1e9
