"""Erases a KOL everywhere: the steps of ``kolray lake forget`` in their order.

From the deny-list on nothing new of the KOL comes in, so each later step may be repeated and a killed run goes on at
the step it was in. Steps are recorded in ``ops.steps`` under the KOL's keyed hash: that is the receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from kolray.clock import Clock, SystemClock
from kolray.connectors.state import forget_polled
from kolray.errors import ConflictError, InvalidInputError
from kolray.events import KINDS
from kolray.lake.erasure.purge import delete_abandoned, purge
from kolray.lake.erasure.rows import count_rows, erase_rows
from kolray.lake.erasure.scan import files_with, table_of
from kolray.lake.erasure.snapshots import erase_snapshots, snapshots_with
from kolray.lake.erasure.trace import Trace
from kolray.lake.gold_files import Write, Written, refresh
from kolray.lake.gold_plan import plan_changed
from kolray.lake.journal import NAME as JOURNAL
from kolray.lake.journal import Journal, Step
from kolray.lake.silver_plan import BESIDE, reached
from kolray.lake.tables import LakeTables, Root
from kolray.lake.turns import alone
from kolray.models.registry import ModelRegistry
from kolray.models.reports import forget_reports, reports_with
from kolray.settings import Settings
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.checkpoint import open_checkpoints
from kolray.stream.denied import DenyList, open_deny_list
from kolray.stream.status import StatusFile

STREAM_S = 120.0
"""Seconds a running stream has to take the deny-list over: longer than a round of it and a checkpoint."""
SCAN = "scan"
Work = Callable[[], dict[str, Any]]


def forget(
    settings: Settings,
    kol_id: str,
    wait_s: float = 600,
    clock: Clock | None = None,
    started: Callable[[str], None] = print,
) -> Iterator[Step]:
    """Runs what the erasure of a KOL still lacks; yields each step when it is done. The first, ``deny``, names the
    ``receipt``, the run in ``ops.steps``; the last, ``scan``, says in ``found`` how many places still hold the KOL: 0,
    or it has to be run again.

    Args:
        wait_s: seconds to wait for jobs that work in the lake.
        started: told the name of each step before it runs.

    Raises:
        InvalidInputError: an empty id.
        ConflictError: other jobs do not end, a running stream does not take the deny-list over, or silver broke off.
        ServiceUnavailableError: a store is away; what was done stays done, the next run goes on there.
    """
    clock, trace = clock or SystemClock(), Trace(kol_id)
    if not trace.kol_id:
        raise InvalidInputError("an empty id names no KOL: give the kol_id of its events")
    with alone(settings.lake_root, wait_s, clock):
        tables, denied = LakeTables(settings.lake_root), open_deny_list(settings)
        _refuse_broken_silver(tables)
        run = f"forget {denied.add(trace.kol_id)[:32]}"
        receipt = f"{run} {_scans(tables, run) + 1}"
        journal = Journal(tables, receipt, clock)
        steps: dict[str, Work] = {"deny": lambda: {"receipt": receipt}}
        for name, work in (steps | _steps(settings, trace, denied, clock)).items():
            started(name)
            yield journal.once(name, work)


def _scans(tables: LakeTables, run: str) -> int:
    """Erasures of this KOL that came to their end: a later one begins anew, whatever those did."""
    ended = tables.scan(JOURNAL).filter(pl.col("run").str.starts_with(run) & (pl.col("step") == SCAN))
    return ended.collect().height


def _refuse_broken_silver(tables: LakeTables) -> None:
    """A run of silver that was killed goes on at the bronze version it began with, which a purge would take away."""
    for kind in KINDS:
        held = reached(tables, kind)
        done, begun = held.get(f"silver.{kind}"), [held.get(name) for name in BESIDE]
        if any(version is not None and version > (-1 if done is None else done) for version in begun):
            raise ConflictError(
                "silver broke off in the middle of a run, and what it began rests on a version of bronze that an "
                "erasure removes: nothing was erased. Run `kolray lake silver`, then this again"
            )


def _steps(settings: Settings, trace: Trace, denied: DenyList, clock: Clock) -> dict[str, Work]:
    """Name → work. The lake before the stores: what is under way to these from outside has then arrived."""
    tables = LakeTables(settings.lake_root)
    return {
        "count": lambda: {"rows": _each(tables, lambda name: count_rows(tables.table(name), trace))},
        "stream": lambda: {"running": _taken_over(settings, denied, clock)},
        "checkpoints": lambda: _snapshots(settings, trace),
        "rows": lambda: {"days": _each(tables, lambda name: erase_rows(tables.table(name), trace).days)},
        "gold": lambda: refresh(tables, plan_changed(tables), _here),
        "purge": lambda: {"files": _purge(tables, trace)},
        "stores": lambda: _stores(settings, trace),
        "artifacts": lambda: _artifacts(settings, trace),
        SCAN: lambda: _scan(settings, trace),
    }


def _each(tables: LakeTables, work: Callable[[str], int]) -> dict[str, int]:
    """Table → what was done there, where anything was."""
    done = {name: work(name) for name in tables.names()}
    return {name: count for name, count in done.items() if count}


def _here(write: Write, root: Root, work: list[Any]) -> list[Written]:
    return list(write(root, work))


def _purge(tables: LakeTables, trace: Trace) -> dict[str, int]:
    """Files deleted of each table that still held anything of the KOL, and of those that never became a table."""
    found = files_with(tables, trace)
    abandoned = delete_abandoned(tables, found)
    deleted = {name: purge(tables, name) for name in tables.names() if name in set(map(table_of, found))}
    return deleted | ({"abandoned": abandoned} if abandoned else {})


def _taken_over(settings: Settings, denied: DenyList, clock: Clock) -> bool:
    """Waits until a running stream has made checkpoints without the KOL; False where none runs here."""
    status, deadline = StatusFile(settings.home), clock.monotonic() + STREAM_S
    while (published := status.read()) is not None and published["state"] == "running":
        parts = [part for shard in published["shards"] for part in shard["partitions"].values()]
        if len(parts) == settings.kafka.partitions and {part.get("deny_list") for part in parts} == {denied.digest}:
            return True
        if clock.monotonic() >= deadline:
            raise ConflictError(
                f"the stream that runs on {settings.home} has not taken the deny-list over in {STREAM_S:.0f} s: it may "
                "be an older version, or hang. Look at `kolray status`, restart it, and run this again"
            )
        clock.sleep(0.2)
    return False


def _snapshots(settings: Settings, trace: Trace) -> dict[str, Any]:
    checkpoints = open_checkpoints(settings)
    torn = 0 if _runs(settings) else checkpoints.remove_torn()  # those of a running stream are being written
    return {"snapshots": erase_snapshots(checkpoints, trace), "torn": torn}


def _runs(settings: Settings) -> bool:
    published = StatusFile(settings.home).read()
    return published is not None and published["state"] == "running"


def _stores(settings: Settings, trace: Trace) -> dict[str, Any]:
    with closing(open_metrics_store(settings)) as store, closing(open_feature_store(settings.redis)) as lookup:
        return {"metrics_rows": store.forget(trace.kol_id), "redis_keys": lookup.forget(trace.kol_id)}


def _artifacts(settings: Settings, trace: Trace) -> dict[str, Any]:
    polled = sum(forget_polled(file, trace.in_text) for file in _polled(settings))
    return {"polled": polled, "reports": forget_reports(ModelRegistry.of(settings), trace.in_json)}


def _scan(settings: Settings, trace: Trace) -> dict[str, Any]:
    """Where anything of the KOL is left, and in how many places."""
    tables = LakeTables(settings.lake_root)
    places = files_with(tables, trace)
    places += snapshots_with(open_checkpoints(settings), trace)
    places += [str(file) for file in _polled(settings) if trace.in_bytes(file.read_bytes())]
    places += reports_with(ModelRegistry.of(settings), trace.in_json)
    with closing(open_metrics_store(settings)) as store, closing(open_feature_store(settings.redis)) as lookup:
        rows, keys = store.traces(trace.kol_id), lookup.traces(trace.kol_id)
    return {"found": len(places) + rows + keys, "places": places[:20], "metrics_rows": rows, "redis_keys": keys}


def _polled(settings: Settings) -> list[Path]:
    return sorted((settings.home / "poll").glob("*.db"))
