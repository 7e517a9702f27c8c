"""Lake jobs run beside each other; an erasure runs alone. Held by the kernel, so a killed process holds nothing.

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
from kolray.lake.tables import Root, place_of
from kolray.settings import Place, Settings

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
    if place.remote or place.url in _mine.roots:  # a bucket has no such locks: see the erasure's page
        yield
        return
    with _opened(place, GATE) as gate, _opened(place, FLOOR) as floor:
        if not _taken(gate, fcntl.LOCK_SH):
            log.warning("waiting for the erasure that is at work in %s", root)
            fcntl.flock(gate, fcntl.LOCK_SH)
        fcntl.flock(floor, fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        _mine.roots.add(place.url)
        try:
            yield
        finally:
            _mine.roots.discard(place.url)


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
    place = place_of(root)
    if place.remote:
        yield
        return
    clock = clock or SystemClock()
    deadline = clock.monotonic() + wait_s
    with _opened(place, GATE) as gate, _opened(place, FLOOR) as floor:
        for lock in (gate, floor):
            while not _taken(lock, fcntl.LOCK_EX):
                if clock.monotonic() >= deadline:
                    raise ConflictError(
                        f"other jobs (bronze, silver, gold, maintain, nightly, forget) still work in {root} after "
                        f"{wait_s:.0f} s: nothing was erased. Run it again when they are done, or with a longer --wait"
                    )
                clock.sleep(PAUSE_S)
        yield


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
