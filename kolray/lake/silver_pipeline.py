"""Ray shell of silver: tasks refine slices of files, the driver settles the doubtful and commits each table. [ray]"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl
import ray

from kolray.clock import Clock, SystemClock
from kolray.events import KINDS, Columns, Kind
from kolray.lake.commit import commit_parts, discard
from kolray.lake.overlap import Advance, until_undisturbed
from kolray.lake.parts import PartWriter, write_parts
from kolray.lake.quality import quality_rows
from kolray.lake.silver import refine, settle
from kolray.lake.silver_plan import BESIDE, SilverTask, Slice, Survey, by_bucket, plan_silver, reached, shares, survey
from kolray.lake.spread import Row, spread
from kolray.lake.tables import TABLES, LakeTables, Root
from kolray.lake.turns import takes_turn
from kolray.local.cluster import join_ray
from kolray.observability.runs import recorded
from kolray.protocols import TextClassifier
from kolray.settings import Settings


@recorded("lake silver")
@takes_turn
def run_silver(
    settings: Settings, classifier: TextClassifier | None = None, clock: Clock | None = None
) -> dict[str, int]:
    """Refines what bronze gained since the last run; returns rows added to silver and quarantine.

    What each rule found is in ``silver.quality``.
    """
    tables = LakeTables(settings.lake_root)
    join_ray()
    added: Counter[str] = Counter()

    def undisturbed() -> bool:
        before = {kind: reached(tables, kind) for kind in KINDS}
        tasks = [task for kind in KINDS if (task := plan_silver(tables, kind)) is not None]
        surveys = [survey(task, tables) for task in tasks]
        held = ray.put((tasks, [(found.doubtful, found.buckets) for found in surveys], classifier))
        work = [(number, share) for number, found in enumerate(surveys) for share in shares(found.slices)]
        written = spread(work, partial(_write_silver, settings.lake_root, held), blocks=len(work))
        now = (clock or SystemClock()).now()
        all_committed = True
        for number, (task, found) in enumerate(zip(tasks, surveys, strict=True)):
            mine = [row for row in written if row["task"] == number]
            mine += _settle(task, found, mine, tables, classifier)
            counts, committed = _commit_silver(tables, task, before[task.kind], mine, now)
            added.update(counts)
            all_committed &= committed
        return all_committed

    until_undisturbed("silver", undisturbed)
    return {name: count for name, count in sorted(added.items()) if count}


def _write_silver(root: Root, held: Any, share: tuple[int, list[Slice]]) -> Iterable[Row]:
    """Writes what is done where it is read; doubtful rows are handed back by their bucket.

    Args:
        held: tasks, their doubtful hashes and buckets, and the classifier, in Ray's store.
        share: the number of a task, and slices of it.
    """
    number, slices = share
    tasks, surveyed, classifier = ray.get(held)
    tables, task, (doubtful, buckets) = LakeTables(root), tasks[number], surveyed[number]
    writers = _writers(tables, task.kind)
    for refined in refine(task, slices, doubtful, tables, classifier):
        writers[f"silver.{task.kind}"].write(refined.valid)
        writers["silver.quarantine"].write(refined.broken)
        yield {"task": number, "table": "counted", "counted": refined.counted}
        for bucket, rows in by_bucket(refined.doubtful, buckets):
            packed = rows.write_ipc(None, compression="lz4").getvalue()
            yield {"task": number, "table": "doubtful", "bucket": bucket, "packed": packed}
    for name, writer in writers.items():
        yield from ({"task": number, "table": name, "part": part} for part in writer.close())


def _writers(tables: LakeTables, kind: Kind) -> dict[str, PartWriter]:
    silver, extra = f"silver.{kind}", tables.added_columns(f"bronze.{kind}")
    further = {silver: extra, "silver.quarantine": None}
    return {name: PartWriter(name, tables.path(name), more) for name, more in further.items()}


def _settle(
    task: SilverTask, found: Survey, written: list[Row], tables: LakeTables, classifier: TextClassifier | None
) -> Iterable[Row]:
    """Writes the doubtful rows that are first copies, a bucket in memory at a time."""
    silver = f"silver.{task.kind}"
    writer = _writers(tables, task.kind)[silver]
    for bucket in range(found.buckets):
        packed = [row["packed"] for row in written if row.get("bucket") == bucket]
        if packed:
            valid, counted = settle(task, pl.concat(pl.read_ipc(rows) for rows in packed), found.known, classifier)
            writer.write(valid)
            yield {"table": "counted", "counted": counted}
    yield from ({"table": silver, "part": part} for part in writer.close())


def _commit_silver(
    tables: LakeTables, task: SilverTask, before: dict[str, int | None], written: list[Row], now: datetime
) -> tuple[dict[str, int], bool]:
    """Quality, quarantine, then silver, whose commit says that the run is done: also where it gained no row.

    Returns:
        Rows added to each table, and whether no other run was faster.
    """
    version, bronze, silver = task.bronze_version, f"bronze.{task.kind}", f"silver.{task.kind}"
    counted = [row["counted"] for row in written if row["table"] == "counted"]
    quality = write_parts("silver.quality", tables.path("silver.quality"), quality_rows(counted, now, version))
    added: dict[str, int] = {}
    undisturbed = True
    for name in (*BESIDE, silver):
        parts = quality if name == "silver.quality" else [row["part"] for row in written if row["table"] == name]
        extra = tables.added_columns(bronze) if name == silver else None
        if not undisturbed or before[name] == version:  # of a run that broke off, it was the part that was done
            discard(tables.path(name), parts)
            continue
        way = {tables.source(name, bronze): Advance(before[name], version)}
        undisturbed = commit_parts(name, tables.path(name), _schema(name, extra), parts, way)
        if undisturbed and name != "silver.quality":
            added[name] = sum(part.rows for part in parts)
    return added, undisturbed


def _schema(name: str, extra: Columns | None = None) -> pl.Schema:
    return pl.Schema(TABLES[name] | (extra or {}))
