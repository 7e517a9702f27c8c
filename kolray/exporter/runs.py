"""What jobs left about their runs."""

from __future__ import annotations

from collections.abc import Iterator

from kolray.observability.catalog import filled
from kolray.observability.metric import Family
from kolray.observability.runs import Runs

LAST = {
    "kolray_run_seconds_total": "seconds",
    "kolray_run_last_seconds": "last_seconds",
    "kolray_run_last_failed": "last_failed",
    "kolray_run_last_timestamp_seconds": "last_at",
    "kolray_run_success_timestamp_seconds": "success_at",
}


def run_metrics(runs: Runs) -> Iterator[Family]:
    """Of every job that ran from this home."""
    known = runs.read()
    ended = [((run, outcome), float(told[outcome])) for run, told in known.items() for outcome in ("ok", "failed")]
    yield filled("kolray_run_total", ended)
    for name, key in LAST.items():
        yield filled(name, [((run,), told.get(key)) for run, told in known.items()])
    counted = [((run, what), count) for run, told in known.items() for what, count in told["rows"].items()]
    yield filled("kolray_run_rows_total", counted)
