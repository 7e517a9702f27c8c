"""Carries strikes out: on the stream this bench started and the servers of its home, and on nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from kolray import local
from kolray.benchmarks.chaos.plan import Strike
from kolray.clock import Clock
from kolray.errors import KolrayError
from kolray.local.process import RunFolder, kill_rest
from kolray.stream.status import StatusFile

LIMIT_S = 180.0
"""Seconds the stream has to be there again."""
MAIN = "from kolray.cli import main; main()"
SERVERS = {"redis": "redis", "broker": "kafka", "store": "cassandra"}
T = TypeVar("T")


@dataclass
class Victim:
    """The stream as its operator runs it: ``kolray stream``, started again whenever it is gone.

    Args:
        env: environment of that process.
        owner_pid: servers started again end with this process.
    """

    home: Path
    env: dict[str, str]
    clock: Clock
    owner_pid: int
    starts: int = 0
    _driver: subprocess.Popen[bytes] | None = None
    _family: dict[int, psutil.Process] = field(default_factory=dict)

    def ensure_driver(self) -> None:
        """Starts ``kolray stream`` unless it runs."""
        if self._driver is not None and self._driver.poll() is None:
            return
        with (self.home / "logs" / "chaos-stream.log").open("ab") as out:
            self._driver = subprocess.Popen(
                [sys.executable, "-c", MAIN, "stream"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env
            )
        self.starts += 1

    def strike(self, strike: Strike) -> None:
        """Kills or stops what the strike names, and starts again what does not start by itself."""
        if strike.kind == "shard":
            self._a_shard(strike.target, psutil.Process.kill)
        elif strike.kind == "driver":
            self.kill_driver()
        elif strike.kind == "hang":
            self._hang(strike.target)
        elif strike.kind == "zombie":
            self._zombie(strike.target)
        else:
            self._kill_server(SERVERS[strike.kind])

    def kill_driver(self) -> None:
        """The supervisor's process is gone at once; what it started notices that by itself."""
        if self._driver is not None:
            self._remember()
            self._driver.kill()
            self._driver.wait()

    def _hang(self, target: int) -> None:
        """Stops a shard until its partitions have moved, then lets it go on."""
        shard = self._a_shard(target, psutil.Process.suspend)
        self._wait(lambda: shard.pid not in self._shard_pids() and self._shard_pids(), "a hung shard to be replaced")
        _resume(shard)

    def _zombie(self, target: int) -> None:
        """Stops a shard, kills its supervisor, and wakes the shard when a successor owns its partitions."""
        shard = self._a_shard(target, psutil.Process.suspend)
        self.kill_driver()
        self.ensure_driver()
        self._wait(self._shard_pids, "a killed supervisor to be replaced")
        _resume(shard)

    def _kill_server(self, name: str) -> None:
        [watchdog] = [running for running in RunFolder(self.home).running() if running.name == name]
        family = psutil.Process(watchdog.pid).children(recursive=True)
        for process in family:
            process.kill()
        self._wait(lambda: not watchdog.alive(), f"{name} to be gone")
        local.start_again(name, self.home, self.owner_pid)

    def _a_shard(self, target: int, strike: Callable[[psutil.Process], None]) -> psutil.Process:
        """Strikes a shard's process, one of the driver's own descendants; one that is just gone is passed over."""

        def find() -> psutil.Process | None:
            pids = self._shard_pids()
            if not pids:
                return None
            self._remember()
            process = self._family.get(pids[target % len(pids)])
            try:
                if process is not None:
                    strike(process)
            except psutil.NoSuchProcess:
                return None  # what is published is up to a second old
            return process

        return self._wait(find, "a shard to run")

    def _shard_pids(self) -> list[int]:
        published = StatusFile(self.home).read()
        if published is None or self._driver is None or published["pid"] != self._driver.pid:
            return []
        return sorted(shard["pid"] for shard in published["shards"] if shard["state"] == "running" and shard["pid"])

    def _remember(self) -> None:
        if self._driver is None or self._driver.poll() is not None:
            return
        try:
            children = psutil.Process(self._driver.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return  # it ended since
        self._family |= {child.pid: child for child in children}

    def _wait(self, look: Callable[[], T], what: str) -> Any:
        """The first answer that is not empty; meanwhile the driver is started again where it is gone."""
        limit = self.clock.monotonic() + LIMIT_S
        while not (found := look()):
            if self.clock.monotonic() > limit:
                raise KolrayError(f"chaos: waited {LIMIT_S:.0f} s in vain for {what}; see {self.home / 'logs'}")
            self.ensure_driver()
            self.clock.sleep(0.05)
        return found

    def close(self) -> None:
        """Kills the driver and whatever of its family is left."""
        self.kill_driver()
        kill_rest(self._family.values(), 5)


def _resume(process: psutil.Process) -> None:
    try:
        process.resume()
    except psutil.NoSuchProcess:
        return  # its supervisor or its node killed it while it stood still
