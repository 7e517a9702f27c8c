"""Carries strikes out: on the lake's jobs that this bench started, and on nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from kolray.benchmarks.lake_chaos.plan import Strike
from kolray.benchmarks.lake_chaos.rounds import DONE, MARK
from kolray.clock import Clock
from kolray.errors import KolrayError
from kolray.local.process import kill_rest

LIMIT_S = 300.0
"""Seconds that a layer may let wait for itself."""
LOOK_S = 0.005
FIRST = "bronze"
"""The layer that a round begins with: what is sent before it is there for all that follow."""
UNKNOWN_S = 1.0
"""What a layer is taken to last until it has been seen."""
WORKER = "ray::"
"""What Ray calls its workers in the list of processes."""
IDLE = "ray::IDLE"
AGENTS = {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}
"""Parts of a node, named alike: it ends with them."""


@dataclass
class Victim:
    """The lake's jobs, started again whenever they are gone, on a Ray that stays.

    Args:
        env: environment of their process.
        log: gets what it says on the error stream.
    """

    env: dict[str, str]
    log: Path
    clock: Clock
    starts: int = 0
    layer: str = ""
    """Which one runs; none between rounds and before the first."""
    _entered: int = 0
    _began: float = 0.0
    _cold: bool = True
    _took: dict[tuple[str, bool], float] = field(default_factory=dict)
    """Seconds of a layer in the first round of a process, and in later ones."""
    _node: subprocess.Popen[str] | None = None
    _driver: subprocess.Popen[str] | None = None
    _family: dict[int, psutil.Process] = field(default_factory=dict)

    def ensure_driver(self) -> None:
        """Starts the jobs, without end, unless they run."""
        if self._driver is None or self._driver.poll() is not None:
            self._start(0)

    def _start(self, rounds: int) -> subprocess.Popen[str]:
        if self._node is None:
            self._node = self._run("node")
            self.env = self.env | {"RAY_ADDRESS": (self._node.stdout or io.StringIO()).readline().strip()}
        self.layer, self._cold = "", True
        self._driver = self._run("rounds", str(rounds))
        threading.Thread(target=self._listen, args=(self._driver,), daemon=True).start()
        self.starts += 1
        return self._driver

    def _run(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        with self.log.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", f"kolray.benchmarks.lake_chaos.{module}", *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, env=self.env, text=True,
            )  # fmt: skip

    def _listen(self, driver: subprocess.Popen[str]) -> None:
        for line in driver.stdout or ():
            if not line.startswith(MARK) or driver is not self._driver:
                continue
            now = self.clock.monotonic()
            if self.layer:
                self._took[self.layer, self._cold] = now - self._began
            ended = line.strip() == DONE
            self._cold = self._cold and not ended
            self.layer = "" if ended else line.strip().removeprefix(MARK)
            self._began = now
            self._entered += 1

    def strike(self, strike: Strike) -> tuple[str, str]:
        """Waits for the strike's layer to begin in a new round and for its moment, or its end where that comes first;
        returns the layer and the kind that it met.
        """
        self._wait_for(FIRST)
        if strike.layer != FIRST:
            self._wait_for(strike.layer)
        entered, moment = self._entered, strike.at * self._took.get((strike.layer, self._cold), UNKNOWN_S)
        while self._entered == entered and self.clock.monotonic() < self._began + moment:
            self.clock.sleep(LOOK_S)
        met = self.layer or "between"
        if strike.kind == "worker" and self._kill_worker(strike.target):
            return met, "worker"
        self.kill_driver()
        return met, "driver"

    def _wait_for(self, layer: str) -> None:
        """Until the layer begins; the driver is started again where it is gone."""
        limit, seen = self.clock.monotonic() + LIMIT_S, self._entered
        while self.layer != layer or self._entered == seen:
            if self.clock.monotonic() > limit:
                raise KolrayError(f"waited {LIMIT_S:.0f} s in vain for {layer} to begin; see {self.log}")
            self.ensure_driver()
            self.clock.sleep(LOOK_S)

    def _kill_worker(self, target: int) -> bool:
        """Kills one of Ray's workers, one at work where there is any."""
        self._remember()
        names = {pid: name for pid, process in self._family.items() if (name := _name(process)).startswith(WORKER)}
        names = {pid: name for pid, name in names.items() if name not in AGENTS}
        busy = [pid for pid, name in names.items() if not name.startswith(IDLE)]
        found = sorted(busy or names)
        if not found:
            return False
        try:
            self._family[found[target % len(found)]].kill()
        except psutil.NoSuchProcess:
            return False
        return True

    def kill_driver(self) -> None:
        """The jobs' process is gone at once; Ray notices that by itself."""
        if self._driver is not None:
            self._driver.kill()
            self._driver.wait()

    def finish(self, rounds: int) -> None:
        """Ends the jobs, then runs so many rounds in peace.

        Raises:
            KolrayError: they fail.
        """
        self.kill_driver()
        if self._start(rounds).wait() != 0:
            raise KolrayError(f"the lake's jobs fail after the kills, with nothing disturbing them; see {self.log}")

    def _remember(self) -> None:
        """Ray's processes, as long as it runs."""
        if self._node is not None and self._node.poll() is None:
            children = psutil.Process(self._node.pid).children(recursive=True)
            self._family |= {child.pid: child for child in children}

    def close(self) -> None:
        """Ends the jobs, Ray, and whatever of it is left."""
        self.kill_driver()
        self._remember()
        if self._node is not None:
            self._node.kill()
            self._node.wait()
        kill_rest(self._family.values(), 5)


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()  # a title is padded with what stood there before
    except psutil.Error:
        return ""
