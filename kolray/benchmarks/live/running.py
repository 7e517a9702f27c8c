"""A real ``kolray stream`` of a home, as its operator runs it, watched from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psutil

from kolray import local
from kolray.clock import Clock, SystemClock
from kolray.errors import KolrayError, SettingsError
from kolray.local.process import kill_rest
from kolray.settings import Settings
from kolray.stream.status import StatusFile, totals

UNWANTED = ("RAY_ADDRESS", "PYTHONDONTWRITEBYTECODE")
"""A Ray of its own, and modules compiled once as everywhere: else each start of a shard compiles some thousand."""
LIMIT_S = 180.0
"""Seconds anything the bench waits for may take."""
STOP_S = 20.0
MAIN = "from kolray.cli import main; main()"
T = TypeVar("T")


def check_home(settings: Settings) -> None:
    """Refuses anything but the bench's own idle servers.

    Raises:
        SettingsError: not the local profile, a server is down, or a stream runs there.
    """
    services = local.status(settings.home)
    if settings.profile != "local" or not services or not all(service.running for service in services):
        raise SettingsError(
            "the live figures load and kill a stream of real servers, so they need their own: KOLRAY_HOME=/tmp/live "
            "kolray up --profile local, and the same KOLRAY_HOME for the bench"
        )
    published = StatusFile(settings.home).read()
    if published is not None and published["state"] == "running":
        raise SettingsError(f"a stream runs in {settings.home} already; stop it with Ctrl-C, or use another home")


@dataclass
class LiveStream:
    """The driver's process, Ray's, and the shards', known by descent from the driver."""

    settings: Settings
    driver: subprocess.Popen[bytes]
    clock: Clock
    family: dict[int, psutil.Process] = field(default_factory=dict)

    def status(self) -> dict[str, Any]:
        """What this run published last; nothing while it starts.

        Raises:
            KolrayError: the driver has ended.
        """
        if self.driver.poll() is not None:
            raise KolrayError(f"`kolray stream` ended by itself; {self._log()} says why")
        published = StatusFile(self.settings.home).read()
        return published if published is not None and published["pid"] == self.driver.pid else {"shards": []}

    def partitions(self) -> dict[int, dict[str, Any]]:
        """The newest status of each partition that is known."""
        shards = self.status()["shards"]
        return {int(number): part for shard in shards for number, part in shard["partitions"].items()}

    def counters(self) -> dict[str, int]:
        """Counters summed over all partitions."""
        return totals([{"partitions": self.partitions()}])

    def shard_pids(self) -> list[int]:
        """Processes of the shards that run, in the order of the shards."""
        return [shard["pid"] for shard in self.status()["shards"] if shard["state"] == "running" and shard["pid"]]

    def caught_up(self) -> bool:
        """Every partition is known and at its logs' ends."""
        parts = self.partitions()
        return len(parts) == self.settings.kafka.partitions and all(part["lag"] == 0 for part in parts.values())

    def wait(self, look: Callable[[], T], what: str, limit_s: float = LIMIT_S) -> T:
        """The first answer that is not empty.

        Raises:
            KolrayError: none within ``limit_s``.
        """
        limit = self.clock.monotonic() + limit_s
        while not (found := look()):
            if self.clock.monotonic() > limit:
                raise KolrayError(f"waited {limit_s:.0f} s in vain for {what}; see {self._log()}")
            self.clock.sleep(0.05)
        return found

    def cpu_s(self) -> tuple[float, float]:
        """CPU seconds so far of (the shards, the driver and Ray); of what lives now."""
        shards, rest = set(self.shard_pids()), 0.0
        used = {process.pid: _cpu_s(process) for process in self.processes()}
        rest = sum(seconds for pid, seconds in used.items() if pid not in shards)
        return sum(used.get(pid, 0.0) for pid in shards), rest

    def pss_mb(self) -> tuple[float, float]:
        """Memory in MB of (the shards, the driver and Ray), pages that processes share divided among them."""
        shards = set(self.shard_pids())
        held = {process.pid: _pss_mb(process) for process in self.processes()}
        return sum(held.get(pid, 0.0) for pid in shards), sum(mb for pid, mb in held.items() if pid not in shards)

    def processes(self) -> list[psutil.Process]:
        """The driver and its descendants, remembered for ``close``."""
        driver = psutil.Process(self.driver.pid)
        found = [driver, *driver.children(recursive=True)]
        self.family |= {process.pid: process for process in found}
        return found

    def kill(self, pid: int) -> None:
        """``kill -9`` of one of its shards."""
        self.processes()
        self.family[pid].kill()

    def close(self) -> None:
        """Ends the stream as Ctrl-C would, and kills what is left of it."""
        if self.driver.poll() is None:
            self.processes()
            self.driver.send_signal(signal.SIGINT)
            try:
                self.driver.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
        kill_rest(self.family.values(), 5)

    def _log(self) -> str:
        return str(_log_file(self.settings))


def _log_file(settings: Settings) -> Any:
    return settings.home / "logs" / "bench-stream.log"


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _pss_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss) / (1 << 20)
    except psutil.Error:
        return 0.0


@contextmanager
def live_stream(settings: Settings, changes: Mapping[str, str], clock: Clock | None = None) -> Iterator[LiveStream]:
    """Starts ``kolray stream`` and waits until it has read all there is; ends it afterwards.

    Args:
        changes: settings of this run, as environment variables.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    env = inherited | dict(changes) | {"KOLRAY_HOME": str(settings.home)}
    _log_file(settings).parent.mkdir(parents=True, exist_ok=True)
    with _log_file(settings).open("ab") as out:
        driver = subprocess.Popen(
            [sys.executable, "-c", MAIN, "stream"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env
        )
    running = LiveStream(settings, driver, clock or SystemClock())
    try:
        running.wait(running.caught_up, "the stream to read what there is")
        yield running
    finally:
        running.close()
