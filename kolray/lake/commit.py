"""Files first, one commit after: Parquet written by tasks becomes visible in one Delta transaction.

A commit carries transaction ids of its sources (a topic-partition, a bronze version), and drops the files of work that
another run has done already (``overlap.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from kolray.clock import Clock, SystemClock, to_ms
from kolray.errors import SchemaError
from kolray.lake.overlap import Sources, retried, stands
from kolray.lake.parts import PartFile, delta_types
from kolray.lake.places import delete, is_table, open_table, storage_options
from kolray.lake.tables import TABLES
from kolray.settings import Place


def commit_parts(
    name: str,
    folder: Place,
    schema: pl.Schema,
    parts: list[PartFile],
    sources: Sources,
    clock: Clock | None = None,
) -> bool:
    """Makes the files visible if the table stands where the work was planned; else they are deleted.

    Columns that the table lacks are added to it first, and null in what it holds.

    Args:
        schema: the files' columns and ``dt``.
        sources: what the rows were made of; without any, nothing tells that they are in the table already.

    Returns:
        Whether this call committed, or an earlier one of the same files; if not, another run has done some of this
        work: plan again.

    Raises:
        SchemaError: a column of the table has another type; the files are deleted.
        ConflictError: other writers were faster at each try; the files are left to maintenance.
    """
    commit = _commit_of(parts, schema, sources, clock)

    def add(table: DeltaTable) -> None:
        held = table.schema()
        table.create_write_transaction(commit.actions, "append", held, ["dt"], commit_properties=commit.properties())

    try:
        return _in_turn(name, folder, parts, sources, commit, add)
    except SchemaError:
        discard(folder, parts)
        raise


def replace_days(name: str, folder: Place, parts: list[PartFile], days: Iterable[date], sources: Sources) -> bool:
    """Makes the files the whole of some days, in one commit; days without a file become empty.

    Without days it only records the sources. Arguments, result and errors are those of ``commit_parts``; a source that
    every replacement names keeps one made of older rows from undoing a newer one.
    """
    commit = _commit_of(parts, pl.Schema(TABLES[name]), sources)
    replaced = [day.isoformat() for day in days]

    def replace(table: DeltaTable) -> None:
        mode, filters = ("overwrite", [("dt", "in", replaced)]) if replaced else ("append", None)
        # On the next version or not at all: Delta would let it pass a compaction, whose files then stay beside ours.
        at_once = commit.properties(retries=0)
        table.create_write_transaction(
            commit.actions, mode, commit.schema, ["dt"], partition_filters=filters, commit_properties=at_once
        )

    return _in_turn(name, folder, parts, sources, commit, replace)


@dataclass(frozen=True)
class _Commit:
    """What a commit of some files is made of, in Delta's own types."""

    actions: list[AddAction]
    schema: Schema
    transactions: list[Transaction]

    def properties(self, retries: int | None = None) -> CommitProperties:
        """With so many further versions to try, where Delta finds no conflict; none: as it likes."""
        return CommitProperties(app_transactions=self.transactions, max_commit_retries=retries)


def _commit_of(parts: list[PartFile], schema: pl.Schema, sources: Sources, clock: Clock | None = None) -> _Commit:
    at = to_ms((clock or SystemClock()).now())
    actions = [AddAction(p.path, p.size, {"dt": p.dt}, at, True, p.stats) for p in parts]
    transactions = [Transaction(source, way.reached) for source, way in sources.items()]
    delta = Schema.from_arrow(delta_types(schema.to_frame().to_arrow()).schema)
    return _Commit(actions, delta, transactions)


def _in_turn(
    name: str,
    folder: Place,
    parts: list[PartFile],
    sources: Sources,
    commit: _Commit,
    write: Callable[[DeltaTable], None],
) -> bool:
    """Commits by ``write`` on the version of the table that was found to stand where the work was planned.

    Delta refuses that commit if another one with a source of it came since, so nothing fits between look and write.
    """

    def work() -> bool:
        if not is_table(folder):
            return _create(folder, parts, sources, commit)
        table = open_table(folder)
        _widen(name, folder, table, commit.schema)
        if stands(table, sources):
            write(table)
            return True
        if _holds(table, parts):
            return True
        discard(folder, parts)
        return False

    return retried(name, work)


def _create(folder: Place, parts: list[PartFile], sources: Sources, commit: _Commit) -> bool:
    """Makes the table with this commit as its first.

    Raises:
        CommitFailedError: another writer made it at the same moment.
    """
    if any(way.held is not None for way in sources.values()):
        discard(folder, parts)  # planned on a table that was taken away since
        return False
    first = commit.properties(retries=0)  # Delta would make the table once more, as its second version
    try:
        create_table_with_add_actions(
            folder.url,
            commit.schema,
            commit.actions,
            mode="error",
            partition_by=["dt"],
            storage_options=storage_options(folder),
            commit_properties=first,
        )
    except DeltaError as error:
        if is_table(folder):
            raise CommitFailedError(f"another writer made it first ({error})") from error
        raise
    return True


def _holds(table: DeltaTable, parts: list[PartFile]) -> bool:
    """Whether the table has these very files: a commit whose answer was lost looks like another's when it is tried
    again, and its files must not be deleted.
    """
    live = pl.DataFrame(pa.table(table.get_add_actions()))
    return bool(parts) and parts[0].path in live["path"]


def _widen(name: str, folder: Place, table: DeltaTable, wanted: Schema) -> None:
    """A commit of its own that adds columns; repeated, it finds nothing to add."""
    held = {field.name: field for field in table.schema().fields}
    for field in wanted.fields:
        if field.name in held and held[field.name].type != field.type:
            raise SchemaError(
                f"{name}.{field.name} is {held[field.name].type.type} in the lake and {field.type.type} in what was to "
                "be added, and a column keeps its type; nothing was added. Give the field a new name, or move "
                f"{folder} away and write the table anew"
            )
    if new := [field for field in wanted.fields if field.name not in held]:
        table.alter.add_columns(new)


def discard(folder: Place, parts: list[PartFile]) -> None:
    """Deletes files that will not be committed."""
    delete(folder, [part.path for part in parts])
