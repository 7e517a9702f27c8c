"""What jobs that begin and end did last, one JSON file a job under ``<home>/metrics/runs``.

A job that takes seconds is gone before anybody asks it; the exporter reads what it left. Counts add up over runs.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from kolray.clock import Clock, SystemClock, to_ms
from kolray.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


class Runs:
    """The files of one home."""

    def __init__(self, home: Path, clock: Clock | None = None) -> None:
        self._folder, self._clock = home / "metrics" / "runs", clock or SystemClock()

    @contextmanager
    def record(self, run: str) -> Iterator[dict[str, int]]:
        """Records a run, also one that raises. Fill the yielded dictionary with what it counted.

        A disk that refuses the record does not fail the run.
        """
        counts: dict[str, int] = {}
        started, ok = self._clock.monotonic(), False
        try:
            yield counts
            ok = True
        finally:
            try:
                self._add(run, counts, self._clock.monotonic() - started, ok=ok)
            except OSError:
                log.warning("the run of %s could not be recorded in %s", run, self._folder, exc_info=True)

    def read(self) -> dict[str, dict[str, Any]]:
        """Name of a run → what is known of it."""
        files = sorted(self._folder.glob("*.json"))
        return {file.stem.replace("_", " "): json.loads(file.read_text()) for file in files}

    def _add(self, run: str, counts: Mapping[str, int], seconds: float, *, ok: bool) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{run.replace(' ', '_')}.json"
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            held: dict[str, Any] = {"ok": 0, "failed": 0, "seconds": 0.0, "rows": {}}
            held |= json.loads(file.read_text()) if file.exists() else {}
            at = to_ms(self._clock.now()) / 1000
            held["ok" if ok else "failed"] += 1
            held["seconds"] += seconds
            held |= {"last_seconds": seconds, "last_failed": not ok, "last_at": at} | ({"success_at": at} if ok else {})
            for what, count in counts.items():
                held["rows"][what] = held["rows"].get(what, 0) + count
            temporary = file.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(json.dumps(held))
            temporary.replace(file)


def recorded(run: str) -> Callable[[Callable[Concatenate[Settings, P], T]], Callable[Concatenate[Settings, P], T]]:
    """A job whose first argument are the settings, recorded as ``run``; the integers it returns are what it counted."""

    def around(job: Callable[Concatenate[Settings, P], T]) -> Callable[Concatenate[Settings, P], T]:
        @wraps(job)
        def work(settings: Settings, *args: P.args, **kwargs: P.kwargs) -> T:
            with Runs(settings.home).record(run) as counts:
                told = job(settings, *args, **kwargs)
                if isinstance(told, Mapping):
                    counts |= {what: count for what, count in told.items() if type(count) is int}
            return told

        return work  # type: ignore[return-value]  # wraps() hides that the first argument has a name

    return around
