"""``kolray bench simulate``: many schedules over some processes, or one of them again by its seed."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing.connection import Connection, wait
from typing import Any

from kolray.benchmarks.simulate.faults import STRUCK
from kolray.benchmarks.simulate.invariants import differences
from kolray.benchmarks.simulate.parts import Known, Parts
from kolray.benchmarks.simulate.scenario import make_scenario
from kolray.benchmarks.simulate.world import World
from kolray.errors import KolrayError

SCENARIO_SCHEDULES = 5000
"""Consecutive seeds that share a scenario, and with it every step of the pure machine."""
REPORT_EVERY = 100


@dataclass(frozen=True)
class Outcome:
    """One schedule: ``problems`` is empty when every promise held; ``seen`` counts boundaries and faults."""

    seed: int
    problems: list[str]
    seen: Counter[str]
    trace: list[str]


@dataclass
class Report:
    """Figures of many schedules. ``failed`` names the first seeds that broke a promise, with what was wrong."""

    schedules: int = 0
    failures: int = 0
    schedules_per_second: float = 0.0
    failed: dict[int, list[str]] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    boundaries: dict[str, int] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _known(scenario: int) -> Known:
    return Known(make_scenario(scenario))


def simulate(seed: int, parts: Parts | None = None, *, known: Known | None = None, traced: bool = False) -> Outcome:
    """Runs the schedule of a seed: always the same one.

    Args:
        parts: what processes are made of; none: the stream as it is.
        known: the scenario and its remembered steps; none: the seed's own.
    """
    known = known or _known(seed // SCENARIO_SCHEDULES)
    world = World(known, seed, parts or Parts(), traced=traced)
    try:
        world.run()
        problems = world.problems or differences(known.scenario, world.lasting)
    except Exception as error:  # whatever the stream raises is a finding of this seed
        problems = [f"{type(error).__name__}: {error}"]
    return Outcome(seed, problems, world.seen, world.trace)


def run(
    schedules: int, processes: int = 2, first: int = 0, on_progress: Callable[[int], None] = lambda _: None
) -> Report:
    """Runs the schedules of ``schedules`` consecutive seeds.

    Args:
        on_progress: called with the number of schedules done since its last call.

    Raises:
        KolrayError: a process of the simulation died.
    """
    started, report, seen = time.monotonic(), Report(), Counter[str]()
    spawn = multiprocessing.get_context("spawn")
    ends: list[Connection[Any, Any]] = []
    with _one_thread_each():
        for share in _shares(first, schedules, processes):
            mine, theirs = spawn.Pipe()
            spawn.Process(target=_work, args=(share, theirs), daemon=True).start()
            theirs.close()  # so that a process that dies is an EOFError here instead of silence
            ends.append(mine)
    while ends:
        for end in wait(ends):
            assert isinstance(end, Connection)  # noqa: S101 - narrows the type
            try:
                part = end.recv()
            except EOFError as error:
                raise KolrayError("a process of the simulation died; its own error stands above") from error
            if part is None:
                ends.remove(end)
                continue
            _add(report, seen, part)
            on_progress(len(part))
    report.schedules_per_second = round(report.schedules / (time.monotonic() - started), 1)
    report.faults = {name: seen[name] for name in STRUCK}
    report.boundaries = {name: n for name, n in sorted(seen.items()) if name not in STRUCK}
    return report


def _add(report: Report, seen: Counter[str], part: list[Outcome]) -> None:
    for outcome in part:
        report.schedules += 1
        seen.update(outcome.seen)
        if outcome.problems:
            report.failures += 1
            if len(report.failed) < 20:
                report.failed[outcome.seed] = outcome.problems[:5]


def _shares(first: int, schedules: int, processes: int) -> list[list[range]]:
    """Ranges of seeds for each process, each range within one scenario."""
    last, ranges = first + schedules, []
    while first < last:
        end = min(last, (first // SCENARIO_SCHEDULES + 1) * SCENARIO_SCHEDULES)
        ranges.append(range(first, end))
        first = end
    return [share for share in (ranges[i::processes] for i in range(processes)) if share]


def _work(share: list[range], control: Any) -> None:
    for seeds in share:
        for at in range(seeds.start, seeds.stop, REPORT_EVERY):
            control.send([simulate(seed) for seed in range(at, min(at + REPORT_EVERY, seeds.stop))])
    control.send(None)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started within have one polars thread: frames of a few rows gain nothing by more."""
    before = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"
    yield
    if before is None:
        del os.environ["POLARS_MAX_THREADS"]
    else:
        os.environ["POLARS_MAX_THREADS"] = before
