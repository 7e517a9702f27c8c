"""The seeded scheduler of one schedule: who runs next, what arrives, what breaks. A seed always decides the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from kolray.benchmarks.simulate.broker import Broker
from kolray.benchmarks.simulate.disk import Disk
from kolray.benchmarks.simulate.faults import SKEW_S, Habits
from kolray.benchmarks.simulate.parts import Known, Lasting, Parts, make_shard
from kolray.benchmarks.simulate.process import CrashError, NodeClock, Process
from kolray.benchmarks.simulate.rows import Store
from kolray.benchmarks.simulate.scenario import LONGEST_S, START_MS
from kolray.errors import KolrayError, ServiceUnavailableError
from kolray.stream.supervision import Supervision

MOST_TURNS = 4000
HANG_AFTER_S = 20.0


class World:
    """One schedule: the real stream under the faults of a seed. ``run`` returns what was wrong."""

    def __init__(self, known: Known, seed: int, parts: Parts, *, traced: bool = False) -> None:
        self.known, self._parts, self._traced = known, parts, traced
        self.chance = chance = Random(seed)  # noqa: S311 - not a secret: a repeatable schedule
        self.seen: Counter[str] = Counter()
        """Boundaries reached and faults struck."""
        self.trace: list[str] = []
        """What happened when, one line an event, where asked for."""
        self.problems: list[str] = []
        self.ending = False
        self._passed = 0.0
        self._started = self._turns = 0
        self._habits = habits = Habits.draw(chance)
        self._last: Process | None = None
        self._away: dict[str, float] = {}
        self._network: list[tuple[float, Callable[[], None]]] = []
        scenario = known.scenario
        self._todo = {place: list(arrivals) for place, arrivals in scenario.arrivals.items()}
        disk = Disk()
        store = Store(disk, scenario.partition_of, by_clock=habits.by_clock)
        disk.on_claim = store.claimed
        self.lasting = Lasting(
            broker=Broker(list(self._todo)),
            disk=disk,
            store=store,
            chance=chance,
            passed_s=self.passed_s,
            checkpoint_interval_s=habits.checkpoint_interval_s,
            as_bytes=habits.as_bytes,
        )
        for place, arrivals in self._todo.items():  # a topic without any event is not waited for
            self.lasting.broker.append(place, arrivals.pop(0))
        self._current: dict[int, Process] = {}
        self._zombies: list[Process] = []
        self._watch = self._supervision()

    def _happens(self, what: str, where: str = "") -> None:
        self.seen[what] += 1
        if self._traced:
            self.trace.append(f"{self._passed:7.2f} s  {where:24} {what}")

    def passed_s(self) -> float:
        return self._passed

    def _supervision(self) -> Supervision:
        numbers = list(range(self.known.scenario.partitions))
        shards = self.chance.randint(1, len(numbers))
        groups = [numbers[i::shards] for i in range(shards)]
        return Supervision(groups, NodeClock(START_MS, self.passed_s, 0.0), HANG_AFTER_S)

    def run(self) -> None:
        """Until every shard has ended and every zombie is gone."""
        while not (self._watch.done and not self._zombies):
            self._turns += 1
            if self._turns > MOST_TURNS:
                self.problems.append(f"no end after {MOST_TURNS} turns")
                break
            self._turn()
            if self.problems:
                break
        for process in [*self._current.values(), *self._zombies]:
            process.kill()
        for _, write in self._network:
            write()
        self.problems += self.lasting.disk.broken
        if self._passed > LONGEST_S - 2 * SKEW_S:
            self.problems.append(f"the schedule took {self._passed:.0f} s, the oracle allows for less")

    def _turn(self) -> None:
        self._arrive()
        self._land()
        if self._turns == self._habits.rescale_at and not self.ending:
            self._rescale()
        self._supervise()
        ready = [p for p in (*self._current.values(), *self._zombies) if p.hangs_until <= self._passed]
        if not ready:
            self._passed += 1.0
            return
        self._passed += self.chance.choice((0.0, 0.1, 0.3, 0.6))
        process = self._last = self._next([p for p in ready if p.rests_until <= self._turns] or ready)
        process.resume()
        if process.end is not None:
            self._ended(process)

    def _next(self, ready: list[Process]) -> Process:
        if self._last in ready and self.chance.random() < self._habits.staying:
            return self._last
        awake = [p for p in self._zombies if p in ready]
        return self.chance.choice(awake if awake and self.chance.random() < 0.3 else ready)

    def _arrive(self) -> None:
        """Batches come one by one; which topic is ahead is left to chance."""
        waiting = [place for place, arrivals in self._todo.items() if arrivals]
        if waiting and self.chance.random() < 0.6:
            for _ in range(self.chance.choice((1, 2, 4, 9))):
                place = self.chance.choice(waiting)
                if self._todo[place]:
                    self.lasting.broker.append(place, self._todo[place].pop(0))
        elif not waiting and self.chance.random() < 0.3:
            self.ending = self.lasting.broker.complete = True

    def _land(self) -> None:
        """Writes of dead processes that were still on their way."""
        due = [write for at, write in self._network if at <= self._passed]
        self._network = [(at, write) for at, write in self._network if at > self._passed]
        for write in due:
            self._happens("late write")
            write()

    def _rescale(self) -> None:
        """Another number of shards: partitions move, and an old shard may not know it."""
        self._happens("rescale")
        for index in list(self._current):
            self._let_go(index)
        self._watch = self._supervision()

    def _supervise(self) -> None:
        hung = any(p.hangs_until > self._passed for p in self._current.values())
        if hung and self.chance.random() < 0.3:
            self._passed += HANG_AFTER_S + 1
        for index, process in self._current.items():
            if process.hangs_until <= self._passed:
                process.beat()
                self._watch.beat(index, process.beats, process.checkpoints())
        dropped = self._watch.hung()
        dropped += [i for i, p in self._current.items() if p.thought_dead and i not in dropped]
        for index in dropped:
            self._let_go(index)
            self._watch.hangs(index)
        for index in self._watch.due():
            self._passed += 0.01  # a process takes its time to start
            self._start(index)

    def _let_go(self, index: int) -> None:
        process = self._current.pop(index)
        if self.chance.random() < 0.3:
            process.kill()
            self._leave_writes(process)
        else:
            self._happens("zombie", process.name)
            process.steps_left = self.chance.randint(1, 4)
            self._zombies.append(process)

    def _start(self, index: int) -> None:
        skew = self.chance.uniform(-SKEW_S, SKEW_S)
        self._started += 1
        self._current[index] = Process(
            f"{self._started} on {self._watch.shards[index].partitions}",
            self,
            self._watch.shards[index].partitions,
            lambda process: make_shard(process, self.known, self._parts, self.lasting, skew),
        )
        self._watch.started(index)

    def _ended(self, process: Process) -> None:
        if process.end != "done":
            self._leave_writes(process)
        if isinstance(process.end, KolrayError):
            self._happens(type(process.end).__name__, process.name)
        if process in self._zombies:
            self._zombies.remove(process)
            return
        index = next(i for i, p in self._current.items() if p is process)
        del self._current[index]
        if process.end == "done":
            self._watch.ended(index)
        elif isinstance(process.end, KolrayError):
            try:
                self._watch.failed(index, process.end)
            except ServiceUnavailableError:
                self._watch.died(index)  # at the very start: whoever started the stream starts it again
            except KolrayError as error:
                self.problems.append(f"{type(error).__name__}: {error}")
        else:
            self._watch.died(index)

    def _leave_writes(self, process: Process) -> None:
        """What a dead process had handed to the network may still arrive."""
        sent = process.writer.queue[: self.chance.randint(0, 2)]
        self._network += [(self._passed + self.chance.choice((0.0, 2.0, 40.0)), write) for write in sent]

    def away(self, service: str) -> bool:
        return self._away.get(service, 0.0) > self._passed

    def reached(self, process: Process, boundary: str) -> bool:
        """Maybe the process crashes or hangs here, or its answer is lost."""
        self._happens(boundary, process.name)
        draw = self.chance.random()
        if self._habits.strikes(boundary, draw, self._passed):
            return self._strike(process)
        if boundary == self._habits.rests_at and draw > 0.5:
            process.rests_until = self._turns + self.chance.randint(2, 10)
            process.pause()
        elif draw > 1 - self._habits.switching:
            process.pause()
        return False

    def _strike(self, process: Process) -> bool:
        fault = self.chance.choice(self._habits.kinds)
        self._happens(fault, process.name)
        if fault == "crash":
            raise CrashError
        if fault == "hang":
            process.hangs_until = self._passed + self.chance.choice((2.0, 22.0, 30.0))
            process.pause()
        elif fault == "thought dead":
            process.thought_dead = True
            process.pause()
        elif fault == "lost answer":
            return True
        else:
            self._away[fault.split()[0]] = self._passed + self.chance.choice((1.0, 5.0))
        return False
