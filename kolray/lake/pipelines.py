"""Ray shell of bronze and silver: Ray Data spreads work, tasks write files, the driver commits a table once. [ray]"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl
import ray

from kolray.clock import Clock, SystemClock
from kolray.events import KINDS, Columns, Kind
from kolray.lake.bronze import BronzeTask, by_table, grouped, plan_bronze, read_group
from kolray.lake.bronze_files import BronzeFile, commit_bronze, held_at_start, write_bronze
from kolray.lake.commit import commit_parts, discard
from kolray.lake.contract import read_contract
from kolray.lake.overlap import Advance, until_undisturbed
from kolray.lake.parts import PartFile, write_parts
from kolray.lake.quality import COUNTED, quality_rows
from kolray.lake.silver import BESIDE, SilverTask, plan_silver, reached, refine
from kolray.lake.tables import TABLES, LakeTables, Root
from kolray.lake.turns import takes_turn
from kolray.local.cluster import join_ray
from kolray.protocols import TextClassifier
from kolray.schemas.registry import open_registry
from kolray.settings import Settings

Row = dict[str, Any]


def spread(work: list[Any], do: Callable[[Any], Iterable[Row]], blocks: int) -> list[Row]:
    """Runs ``do`` on every item by Ray Data and gathers the rows it yields."""
    if not work:
        return []
    join_ray()
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)

    held = ray.put(work)

    def batch(items: Row) -> Row:
        everything = ray.get(held)
        return {"row": [json.dumps(row) for index in items["item"] for row in do(everything[index])]}

    numbered = ray.data.from_items([{"item": i} for i in range(len(work))], override_num_blocks=min(blocks, len(work)))
    done = numbered.map_batches(batch, batch_format="numpy", batch_size=None).take_all()
    return [json.loads(row["row"]) for row in done]


@takes_turn
def run_bronze(settings: Settings, clock: Clock | None = None) -> dict[str, int]:
    """Reads every topic to its end; returns rows added to each table.

    Raises:
        SchemaError: a schema registered for a raw topic breaks the contract; nothing was read or written.
    """
    tables = LakeTables(settings.lake_root)
    added: Counter[str] = Counter()

    def undisturbed() -> bool:
        now = (clock or SystemClock()).now()
        extra = read_contract(open_registry(settings.registry.url), tables)
        tasks = plan_bronze(tables, settings.kafka.partitions)
        groups = grouped(tasks, groups=2)
        written = spread(groups, lambda tasks: _write_bronze(tasks, settings, now, extra), blocks=len(groups))
        files = [_bronze_file(row) for row in written]
        counts, all_committed = commit_bronze(tables, files, held_at_start(tasks), by_table("bronze", extra))
        added.update(counts)
        return all_committed

    until_undisturbed("bronze", undisturbed)
    return dict(added)


def _write_bronze(
    tasks: list[BronzeTask], settings: Settings, now: datetime, extra: dict[Kind, Columns]
) -> Iterable[Row]:
    read = read_group(tasks, settings, now, extra)
    for file in write_bronze(LakeTables(settings.lake_root), read, by_table("bronze", extra)):
        yield {"table": file.table, "ends": file.ends, **asdict(file.part)}


def _bronze_file(row: Row) -> BronzeFile:
    [part] = _parts([row])
    return BronzeFile(row["table"], row["ends"], part)


def _schema(name: str, extra: Columns | None = None) -> pl.Schema:
    return pl.Schema(TABLES[name] | (extra or {}))


def _parts(rows: list[Row]) -> list[PartFile]:
    return [PartFile(row["path"], row["size"], row["dt"], row["rows"], row["stats"]) for row in rows]


@takes_turn
def run_silver(
    settings: Settings, classifier: TextClassifier | None = None, clock: Clock | None = None
) -> dict[str, int]:
    """Refines what bronze gained since the last run; returns rows added to silver and quarantine.

    What each rule found is in ``silver.quality``.
    """
    tables = LakeTables(settings.lake_root)
    join_ray()
    held = ray.put(classifier)
    added: Counter[str] = Counter()

    def undisturbed() -> bool:
        before = {kind: reached(tables, kind) for kind in KINDS}
        plans = {kind: plan_silver(tables, kind) for kind in KINDS}
        work = [task for tasks, _ in plans.values() for task in tasks]
        written = spread(work, lambda task: _write_silver(task, settings.lake_root, held), blocks=2)
        now = (clock or SystemClock()).now()
        all_committed = True
        for kind, (tasks, version) in plans.items():
            if tasks and version is not None:  # else bronze was only compacted
                mine = [row for row in written if row["kind"] == kind]
                counts, committed = _commit_silver(tables, kind, version, before[kind], mine, now)
                added.update(counts)
                all_committed &= committed
        return all_committed

    until_undisturbed("silver", undisturbed)
    return {name: count for name, count in sorted(added.items()) if count}


def _write_silver(task: SilverTask, root: Root, classifier: Any) -> Iterable[Row]:
    tables = LakeTables(root)
    refined = refine(task, tables, ray.get(classifier))
    silver = f"silver.{task.kind}"
    for name, rows in ((silver, refined.valid), ("silver.quarantine", refined.broken)):
        extra = tables.added_columns(f"bronze.{task.kind}") if name == silver else None
        for part in write_parts(name, tables.path(name), rows, extra):
            yield {"table": name, "kind": task.kind, **asdict(part)}
    yield {"table": "counted", "kind": task.kind, "counted": refined.counted.to_dicts()}


def _commit_silver(
    tables: LakeTables, kind: Kind, version: int, before: dict[str, int | None], written: list[Row], now: datetime
) -> tuple[dict[str, int], bool]:
    """Quality, quarantine, then silver, whose commit says that the run is done: also where it gained no row.

    Returns:
        Rows added to each table, and whether no other run was faster.
    """
    silver = f"silver.{kind}"
    counted = [pl.DataFrame(row["counted"], COUNTED) for row in written if row["table"] == "counted"]
    rows = quality_rows(counted, now, version) if counted else pl.DataFrame(schema=_schema("silver.quality"))
    quality = [asdict(part) for part in write_parts("silver.quality", tables.path("silver.quality"), rows)]
    added: dict[str, int] = {}
    undisturbed = True
    for name in (*BESIDE, silver):
        mine = quality if name == "silver.quality" else [row for row in written if row["table"] == name]
        extra = tables.added_columns(f"bronze.{kind}") if name == silver else None
        if not undisturbed or before[name] == version:  # of a run that broke off, it was the part that was done
            discard(tables.path(name), _parts(mine))
            continue
        way = {tables.source(name, f"bronze.{kind}"): Advance(before[name], version)}
        undisturbed = commit_parts(name, tables.path(name), _schema(name, extra), _parts(mine), way)
        if undisturbed and name != "silver.quality":
            added[name] = sum(row["rows"] for row in mine)
    return added, undisturbed
