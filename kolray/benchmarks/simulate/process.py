"""One incarnation of a shard: the real loop in a greenlet, which the scheduler stops at any effect boundary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from greenlet import getcurrent, greenlet

from kolray.benchmarks.simulate.rows import QueuedWriter
from kolray.clock import from_ms
from kolray.errors import KolrayError
from kolray.stream.shard import Shard


class CrashError(BaseException):
    """The process is gone: no handler of the stream's may catch this."""


class Surroundings(Protocol):
    """What a process needs of the world."""

    @property
    def ending(self) -> bool:
        """The input is complete: shards end at the logs' ends."""
        ...

    def reached(self, process: Process, boundary: str) -> bool:
        """Decides what happens at a boundary; see ``Owner.at``."""
        ...

    def away(self, service: str) -> bool: ...

    def passed_s(self) -> float:
        """Seconds since the schedule began."""
        ...


@dataclass
class NodeClock:
    """The world's time on a machine whose clock is ``skew_s`` ahead."""

    start_ms: int
    passed_s: Callable[[], float]
    skew_s: float

    def now(self) -> datetime:
        return from_ms(self.start_ms) + timedelta(seconds=self.passed_s() + self.skew_s)

    def monotonic(self) -> float:
        return self.passed_s()

    def sleep(self, seconds: float) -> None:
        raise RuntimeError(f"nothing in a shard sleeps by its clock, asked for {seconds} s")


Make = Callable[["Process"], tuple[Shard, QueuedWriter]]
"""Puts together what a process runs."""


class Process:
    """``end`` tells how it ended: ``died``, ``done``, or the error it raised; None while it lives."""

    def __init__(self, name: str, world: Surroundings, partitions: list[int], make: Make) -> None:
        self.name, self.partitions, self._world = name, partitions, world
        self.beats = 0
        self.hangs_until = 0.0
        self.rests_until = 0
        """The turn in which it goes on, unless nobody else can."""
        self.steps_left = 1 << 30
        self.restored = False
        self.thought_dead = False
        """The supervisor takes it for dead, whatever it does."""
        self.end: str | KolrayError | None = None
        self.shard, self.writer = make(self)
        self._hub = getcurrent()
        self._body = greenlet(self._run)

    def _run(self) -> None:
        try:
            self.shard.restore()
            self.restored = True
            while not self.shard.finished:
                self.pause()
                if self.steps_left <= 0:
                    raise CrashError
                self.steps_left -= 1
                self.shard.until_end = self._world.ending
                self.shard.step()
            self.end = "done"
        except CrashError:
            self.end = "died"
        except KolrayError as error:
            self.end = error

    def resume(self) -> None:
        """Lets it run to where it pauses next, or to its end."""
        self._body.switch()

    def pause(self) -> None:
        """Gives the turn back to the scheduler."""
        self._hub.switch()

    def kill(self) -> None:
        """It never runs again."""
        if self.end is None:
            self.end = "died"
            if self._body:
                self._body.throw(CrashError)

    def beat(self) -> None:
        self.beats += 1

    def checkpoints(self) -> int | None:
        """The sum of its partitions' checkpoint numbers, once it has restored."""
        return sum(runner.number for runner in self.shard.runners.values()) if self.restored else None

    def at(self, boundary: str) -> bool:
        return self._world.reached(self, boundary)

    def away(self, service: str) -> bool:
        return self._world.away(service)

    def wait(self) -> None:
        """Waits for a service as the store's writer does: alive, without progress."""
        self.beat()
        self.pause()
