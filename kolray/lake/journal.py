"""What jobs of many steps have done, as rows of ``ops.steps``: a run that failed goes on at the step that did."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from deltalake import write_deltalake

from kolray.clock import Clock
from kolray.lake.overlap import retried
from kolray.lake.tables import TABLES, LakeTables, arrow_ready

NAME = "ops.steps"


@dataclass(frozen=True)
class Step:
    """A step that ended: ``detail`` is what it returned; ``seconds`` 0 if it had been done ``before``."""

    name: str
    seconds: float
    detail: dict[str, Any]
    before: bool = False


class Journal:
    """The steps of one run.

    Args:
        run: its identity, e.g. ``nightly 2026-01-31``: the same name is the same run, started again.
    """

    def __init__(self, tables: LakeTables, run: str, clock: Clock) -> None:
        self.run = run
        self._tables, self._clock = tables, clock
        done = tables.scan(NAME).filter((pl.col("run") == run) & pl.col("ok")).select("step", "detail").collect()
        self._done: dict[str, str] = dict(done.iter_rows())

    def once(self, step: str, work: Callable[[], Mapping[str, Any]]) -> Step:
        """Does the work and records it, unless this run did it before. An error is recorded and raised on."""
        if step in self._done:
            return Step(step, 0.0, json.loads(self._done[step]), before=True)
        at, started = self._clock.now(), self._clock.monotonic()
        try:
            detail = dict(work())
        except Exception as error:
            self._record(step, at, started, {"error": f"{type(error).__name__}: {error}"}, ok=False)
            raise
        seconds = self._record(step, at, started, detail, ok=True)
        return Step(step, seconds, detail)

    def _record(self, step: str, at: datetime, started: float, detail: dict[str, Any], *, ok: bool) -> float:
        seconds = round(self._clock.monotonic() - started, 3)
        told = json.dumps(detail, default=str)
        row = (self.run, step, ok, at, seconds, told, at.date())
        frame = pl.DataFrame([row], schema=TABLES[NAME], orient="row")
        rows = arrow_ready(frame, NAME).to_arrow()
        path, options = self._tables.path(NAME).url, self._tables.options
        retried(
            NAME,
            lambda: write_deltalake(path, rows, mode="append", partition_by=["dt"], storage_options=options),
        )
        if ok:
            self._done[step] = told
        return seconds
