"""Turns in a bucket, which knows no locks: each job and each erasure keeps an object there and renews it.

Who begins announces itself first and looks at the others then, so of two at least one sees the other. A job gives way
to an erasure, an erasure waits for jobs, and of two erasures the one of the later name gives way. No two clocks are
compared: an object that stays the same for ``DEAD_S`` seconds before who waits is a killed process's, and is deleted.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from kolray.clock import Clock
from kolray.errors import ConflictError, ServiceUnavailableError
from kolray.stream.objects import Objects

log = logging.getLogger(__name__)
FOLDER = "_turns"
JOB, ERASURE = "job", "erasure"
BEAT_S = 10.0
DEAD_S = 60.0
"""As long as some beats, so that one which the store was slow to take kills nobody."""
LOOK_S = 1.0


class Lease:
    """An announcement that holds from ``with`` to its end: an object whose number a thread raises."""

    def __init__(self, objects: Objects, kind: str) -> None:
        self.name = f"{kind}-{uuid.uuid4().hex}"
        self._objects, self._place, self._ended = objects, f"{FOLDER}/{self.name}", threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._objects.put(self._place, b"0")
        self._beats.start()
        return self

    def _beat(self) -> None:
        number = 0
        while not self._ended.wait(BEAT_S):
            number += 1
            try:
                self._objects.put(self._place, b"%d" % number)
            except ServiceUnavailableError as error:
                log.warning("the turn of this job was not renewed: %s", error)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._beats.join()
        self._objects.delete([self._place])


class Others:
    """Who else has announced itself, as far as it is alive."""

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock
        self._seen: dict[str, tuple[bytes, float]] = {}

    def alive(self, kind: str) -> list[str]:
        """Names of leases; deletes those of killed processes."""
        now, alive = self._clock.monotonic(), []
        for name in self._objects.names(FOLDER):
            told = self._objects.get(f"{FOLDER}/{name}") if name.startswith(kind) else None
            if told is None:
                continue
            before, since = self._seen.get(name, (told, now))
            self._seen[name] = (told, since if told == before else now)
            if now - self._seen[name][1] < DEAD_S:
                alive.append(name)
            else:
                self._objects.delete([f"{FOLDER}/{name}"])
        return alive


@contextmanager
def job(objects: Objects, clock: Clock) -> Iterator[None]:
    """While no erasure is at work; waits for the end of one."""
    others = Others(objects, clock)
    while True:
        with Lease(objects, JOB):
            if not others.alive(ERASURE):
                yield
                return
        log.warning("waiting for the erasure that is at work in this lake")
        while others.alive(ERASURE):
            clock.sleep(LOOK_S)


@contextmanager
def erasure(objects: Objects, clock: Clock, wait_s: float, busy: ConflictError) -> Iterator[None]:
    """While nothing else is at work.

    Raises:
        ConflictError: ``busy``, others were still at work after ``wait_s`` seconds.
    """
    others, deadline = Others(objects, clock), clock.monotonic() + wait_s

    def pause() -> None:
        if clock.monotonic() >= deadline:
            raise busy
        clock.sleep(LOOK_S)

    while True:
        with Lease(objects, ERASURE) as mine:
            while True:
                rivals = [name for name in others.alive(ERASURE) if name != mine.name]
                if any(name < mine.name for name in rivals):
                    break
                if not rivals and not others.alive(JOB):
                    yield
                    return
                pause()
        while others.alive(ERASURE):
            pause()
