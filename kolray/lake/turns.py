"""Lake jobs run beside each other; an erasure runs alone. Held by the kernel, so a killed process holds nothing; in a
bucket by ``leases.py``.

A job takes the gate for a moment and the floor for as long as it works, both shared. An erasure takes both for itself,
the gate first: jobs that come later wait there, those at work end, then it has the floor.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from kolray.clock import Clock, SystemClock
from kolray.errors import ConflictError
from kolray.lake import leases
from kolray.lake.places import SETTING
from kolray.lake.tables import Root, place_of
from kolray.settings import Place, Settings
from kolray.stream.objects import Objects, open_objects

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
GATE, FLOOR = ".gate", ".floor"
PAUSE_S = 0.2


class _Mine(threading.local):
    """Roots in which a job of this thread is at work."""

    def __init__(self) -> None:
        self.roots: set[str] = set()


_mine = _Mine()


@contextmanager
def lake_job(root: Root) -> Iterator[None]:
    """While a job reads and writes tables. Waits where an erasure is at work. May be nested: at the gate a job inside
    of another would wait for an erasure that waits for the outer one."""
    place = place_of(root)
    if place.url in _mine.roots:
        yield
        return
    with leases.job(_objects(place), SystemClock()) if place.remote else _on_the_floor(place):
        _mine.roots.add(place.url)
        try:
            yield
        finally:
            _mine.roots.discard(place.url)


@contextmanager
def _on_the_floor(root: Place) -> Iterator[None]:
    with _opened(root, GATE) as gate, _opened(root, FLOOR) as floor:
        if not _taken(gate, fcntl.LOCK_SH):
            log.warning("waiting for the erasure that is at work in %s", root)
            fcntl.flock(gate, fcntl.LOCK_SH)
        fcntl.flock(floor, fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def takes_turn(job: Callable[Concatenate[Settings, P], T]) -> Callable[Concatenate[Settings, P], T]:
    """A function whose first argument are the settings, as a lake job."""

    @wraps(job)
    def run(settings: Settings, *args: P.args, **kwargs: P.kwargs) -> T:
        with lake_job(settings.lake_root):
            return job(settings, *args, **kwargs)

    return run  # type: ignore[return-value]  # wraps() hides that the first argument has a name


@contextmanager
def alone(root: Root, wait_s: float, clock: Clock | None = None) -> Iterator[None]:
    """While nothing else works in the lake.

    Raises:
        ConflictError: jobs or another erasure were still at work after ``wait_s`` seconds; nothing was changed.
    """
    place, clock = place_of(root), clock or SystemClock()
    busy = ConflictError(
        f"other jobs (bronze, silver, gold, maintain, nightly, forget) still work in {root} after "
        f"{wait_s:.0f} s: nothing was erased. Run it again when they are done, or with a longer --wait"
    )
    with leases.erasure(_objects(place), clock, wait_s, busy) if place.remote else _emptied(place, clock, wait_s, busy):
        yield


@contextmanager
def _emptied(root: Place, clock: Clock, wait_s: float, busy: ConflictError) -> Iterator[None]:
    deadline = clock.monotonic() + wait_s
    with _opened(root, GATE) as gate, _opened(root, FLOOR) as floor:
        for lock in (gate, floor):
            while not _taken(lock, fcntl.LOCK_EX):
                if clock.monotonic() >= deadline:
                    raise busy
                clock.sleep(PAUSE_S)
        yield


def _objects(root: Place) -> Objects:
    return open_objects(root.url, root.s3, SETTING)


@contextmanager
def _opened(root: Place, name: str) -> Iterator[int]:
    Path(root).mkdir(parents=True, exist_ok=True)
    file = os.open(Path(root) / name, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield file
    finally:
        os.close(file)


def _taken(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
