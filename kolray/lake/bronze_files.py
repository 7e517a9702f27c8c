"""Bronze's writing: rows to files of each table, and one commit a table that says how far they go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kolray.events import Columns
from kolray.lake.bronze import BronzeTask, source_id
from kolray.lake.commit import commit_parts
from kolray.lake.overlap import Advance
from kolray.lake.parts import PartFile, PartWriter
from kolray.lake.tables import TABLES, LakeTables

Held = dict[str, int | None]
"""Source → the next offset that its table names, where it names one."""


@dataclass(frozen=True)
class BronzeFile:
    """A written file of a table. ``ends``: source → the offset after the rows that it was read with."""

    table: str
    ends: dict[str, int]
    part: PartFile


def held_at_start(tasks: Iterable[BronzeTask]) -> Held:
    """Where the tables stood when these tasks were planned."""
    return {source_id(task.table, task.topic, task.partition): task.start or None for task in tasks}


def write_bronze(
    tables: LakeTables, read: Iterable[tuple[str, pl.DataFrame, dict[str, int]]], extra: Mapping[str, Columns]
) -> Iterator[BronzeFile]:
    """Files of (table, rows, ends), a chunk of rows in memory at a time; nothing is visible yet.

    Args:
        extra: table → columns beyond the declared ones.
    """
    writers: dict[str, PartWriter] = {}
    reached: dict[str, dict[str, int]] = {}
    for table, rows, ends in read:
        if table not in writers:
            writers[table] = PartWriter(table, tables.path(table), extra.get(table))
        writers[table].write(rows)
        reached.setdefault(table, {}).update(ends)
    for table, writer in writers.items():
        yield from (BronzeFile(table, reached[table], part) for part in writer.close())


def commit_bronze(
    tables: LakeTables, files: Sequence[BronzeFile], held: Held, extra: Mapping[str, Columns]
) -> tuple[dict[str, int], bool]:
    """Makes the files visible, one commit a table; those of a table that another run was faster at are deleted.

    Returns:
        Rows added to each table, and whether no other run was faster anywhere.
    """
    added = {}
    names = sorted({file.table for file in files})
    for name in names:
        mine = [file for file in files if file.table == name]
        ends: dict[str, int] = {}
        for source, end in (item for file in mine for item in file.ends.items()):
            ends[source] = max(end, ends.get(source, 0))
        ways = {source: Advance(held[source], end) for source, end in ends.items()}
        schema = pl.Schema(TABLES[name] | extra.get(name, {}))
        if commit_parts(name, tables.path(name), schema, [file.part for file in mine], ways):
            added[name] = sum(file.part.rows for file in mine)
    return added, len(added) == len(names)
