"""Files first, one commit after: Parquet written by tasks becomes visible in one Delta transaction.

A commit carries transaction ids of its sources (a topic-partition, a bronze version). Delta records them but does not
compare them: the committing handle checks before it commits, and drops the files of work already done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.transaction import AddAction, create_table_with_add_actions

from kolray.clock import Clock, SystemClock, to_ms
from kolray.errors import SchemaError
from kolray.lake.parts import PartFile, delta_types
from kolray.lake.tables import TABLES


def commit_parts(
    name: str,
    folder: str,
    schema: pl.Schema,
    parts: list[PartFile],
    sources: dict[str, int],
    clock: Clock | None = None,
) -> bool:
    """Makes the files visible, unless every source was committed up to its number before; then they are deleted.

    Columns that the table lacks are added to it first, and null in what it holds.

    Args:
        schema: the files' columns and ``dt``.
        sources: application id → version that this commit reaches; a lower or equal one was done already.

    Returns:
        Whether this call committed.

    Raises:
        SchemaError: a column of the table has another type; the files are deleted.
    """
    actions, wanted, properties = _commit_of(parts, schema, sources, clock)
    if _created(folder, wanted, actions, properties):
        return True
    try:
        _widen(name, folder, wanted)
    except SchemaError:
        discard(folder, parts)
        raise
    table = DeltaTable(folder)
    done = {app: table.transaction_version(app) for app in sources}
    if sources and all((held := done[app]) is not None and held >= version for app, version in sources.items()):
        discard(folder, parts)
        return False
    table.create_write_transaction(actions, "append", table.schema(), ["dt"], commit_properties=properties)
    return True


def replace_days(name: str, folder: str, parts: list[PartFile], days: Iterable[date], sources: dict[str, int]) -> None:
    """Makes the files the whole of some days, in one commit; days without a file become empty.

    Repeating it changes no row. Without days it only records the sources.

    Args:
        sources: application id → version that this commit reaches.
    """
    actions, schema, properties = _commit_of(parts, pl.Schema(TABLES[name]), sources)
    if _created(folder, schema, actions, properties):
        return
    replaced = [day.isoformat() for day in days]
    mode, filters = ("overwrite", [("dt", "in", replaced)]) if replaced else ("append", None)
    DeltaTable(folder).create_write_transaction(
        actions, mode, schema, ["dt"], partition_filters=filters, commit_properties=properties
    )


def _commit_of(
    parts: list[PartFile], schema: pl.Schema, sources: dict[str, int], clock: Clock | None = None
) -> tuple[list[AddAction], Schema, CommitProperties]:
    """What a commit of these files is made of, in Delta's own types."""
    at = to_ms((clock or SystemClock()).now())
    actions = [AddAction(p.path, p.size, {"dt": p.dt}, at, True, p.stats) for p in parts]
    transactions = [Transaction(app, version) for app, version in sources.items()]
    delta = Schema.from_arrow(delta_types(schema.to_frame().to_arrow()).schema)
    return actions, delta, CommitProperties(app_transactions=transactions)


def _created(folder: str, schema: Schema, actions: list[AddAction], properties: CommitProperties) -> bool:
    """Makes the table with this commit as its first, unless there is one."""
    if DeltaTable.is_deltatable(folder):
        return False
    create_table_with_add_actions(
        folder, schema, actions, mode="error", partition_by=["dt"], commit_properties=properties
    )
    return True


def _widen(name: str, folder: str, wanted: Schema) -> None:
    """A commit of its own that adds columns; repeated, it finds nothing to add."""
    table = DeltaTable(folder)
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


def discard(folder: str, parts: list[PartFile]) -> None:
    """Deletes files that will not be committed."""
    for part in parts:
        (Path(folder) / part.path).unlink(missing_ok=True)
