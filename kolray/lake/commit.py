"""Files first, one commit after: Parquet written by tasks becomes visible in one Delta transaction.

A commit carries transaction ids of its sources (a topic-partition, a bronze version). Delta records them but does not
compare them: the committing handle checks before it commits, and drops the files of work already done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.transaction import AddAction, create_table_with_add_actions

from kolray.clock import Clock, SystemClock, to_ms
from kolray.errors import SchemaError
from kolray.lake.parts import PartFile, delta_types
from kolray.lake.places import delete, is_table, open_table, storage_options
from kolray.lake.tables import TABLES
from kolray.settings import Place


def commit_parts(
    name: str,
    folder: Place,
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
        Whether this call committed, or an earlier one of the same files did.

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
    table = open_table(folder)
    done = {app: table.transaction_version(app) for app in sources}
    if sources and all((held := done[app]) is not None and held >= version for app, version in sources.items()):
        if _holds(table, parts):
            return True
        discard(folder, parts)
        return False
    table.create_write_transaction(actions, "append", table.schema(), ["dt"], commit_properties=properties)
    return True


def replace_days(
    name: str, folder: Place, parts: list[PartFile], days: Iterable[date], sources: dict[str, int]
) -> None:
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
    open_table(folder).create_write_transaction(
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


def _created(folder: Place, schema: Schema, actions: list[AddAction], properties: CommitProperties) -> bool:
    """Makes the table with this commit as its first, unless there is one."""
    if is_table(folder):
        return False
    create_table_with_add_actions(
        folder.url,
        schema,
        actions,
        mode="error",
        partition_by=["dt"],
        storage_options=storage_options(folder),
        commit_properties=properties,
    )
    return True


def _widen(name: str, folder: Place, wanted: Schema) -> None:
    """A commit of its own that adds columns; repeated, it finds nothing to add."""
    table = open_table(folder)
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


def _holds(table: DeltaTable, parts: list[PartFile]) -> bool:
    """Whether the table has these very files: a commit whose answer was lost looks like another's when it is tried
    again, and its files must not be deleted.
    """
    live = pl.DataFrame(pa.table(table.get_add_actions()))
    return bool(parts) and parts[0].path in live["path"]


def discard(folder: Place, parts: list[PartFile]) -> None:
    """Deletes files that will not be committed."""
    delete(folder, [part.path for part in parts])
