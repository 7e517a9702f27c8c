"""Ray shell of bronze and silver: Ray Data spreads work, tasks write files, the driver commits a table once. [ray]"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl
import ray

from kolray.clock import Clock, SystemClock
from kolray.events import Kind
from kolray.lake.bronze import BronzeTask, grouped, plan_bronze, read_group
from kolray.lake.commit import PartFile, commit_parts, write_parts
from kolray.lake.silver import SilverTask, plan_silver, refine, split
from kolray.lake.tables import TABLES, LakeTables
from kolray.local.cluster import join_ray
from kolray.protocols import TextClassifier
from kolray.settings import Settings

Row = dict[str, Any]
KINDS: tuple[Kind, ...] = ("social", "web")


def _spread(work: list[Any], do: Callable[[Any], Iterable[Row]], blocks: int) -> list[Row]:
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


def run_bronze(settings: Settings, clock: Clock | None = None) -> dict[str, int]:
    """Reads every topic to its end; returns rows added to each table."""
    tables = LakeTables(settings.lake_root)
    now = (clock or SystemClock()).now()
    groups = grouped(plan_bronze(tables, settings.kafka.partitions), groups=2)
    written = _spread(groups, lambda tasks: _write_bronze(tasks, settings, now), blocks=len(groups))
    return _commit_by_table(tables, written)


def _write_bronze(tasks: list[BronzeTask], settings: Settings, now: datetime) -> Iterable[Row]:
    for table, rows, ends in read_group(tasks, settings, now):
        for part in write_parts(table, LakeTables(settings.lake_root).path(table), rows):
            yield {"table": table, "sources": ends, **asdict(part)}


def _commit_by_table(tables: LakeTables, written: list[Row]) -> dict[str, int]:
    added = {}
    for name in sorted({row["table"] for row in written}):
        mine = [row for row in written if row["table"] == name]
        sources: dict[str, int] = {}
        for source, version in (item for row in mine for item in row["sources"].items()):
            sources[source] = max(version, sources.get(source, 0))
        parts = [PartFile(row["path"], row["size"], row["dt"], row["rows"], row["stats"]) for row in mine]
        if commit_parts(name, tables.path(name), pl.Schema(TABLES[name]), parts, sources):
            added[name] = sum(row["rows"] for row in mine)
    return added


def run_silver(settings: Settings, classifier: TextClassifier | None = None) -> dict[str, int]:
    """Refines what bronze gained since the last run; returns rows added to each table."""
    tables = LakeTables(settings.lake_root)
    join_ray()
    plans = {kind: plan_silver(tables, kind) for kind in KINDS}
    held = ray.put(classifier)
    work = [task for tasks, _ in plans.values() for task in tasks]
    written = _spread(work, lambda task: _write_silver(task, settings.lake_root, held), blocks=2)
    for row in written:  # quarantine follows its kind's bronze version too
        row["sources"] = plans[row["kind"]][1]
    return _commit_by_table(tables, written)


def _write_silver(task: SilverTask, root: str, classifier: Any) -> Iterable[Row]:
    tables = LakeTables(root)
    for name, rows in split(task.kind, refine(task, tables, ray.get(classifier))).items():
        for part in write_parts(name, tables.path(name), rows):
            yield {"table": name, "kind": task.kind, **asdict(part)}
