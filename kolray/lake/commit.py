"""Files first, one commit after: Parquet written by tasks becomes visible in one Delta transaction.

A commit carries transaction ids of its sources (a topic-partition, a bronze version). Delta records them but does not
compare them: the committing handle checks before it commits, and drops the files of work already done.
"""

from __future__ import annotations

import json
import math
import posixpath
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.transaction import AddAction, create_table_with_add_actions

from kolray.clock import Clock, SystemClock, to_ms
from kolray.errors import SchemaError
from kolray.events import Columns
from kolray.lake.tables import TABLES, arrow_ready

_DISTINCT = {
    "event_id", "offset", "event_time", "kafka_time", "ingest_time", "available_at", "post_id", "author_id", "visitor",
    "text", "url", "key", "value",
}  # fmt: skip
"""Columns with hardly a value twice: a dictionary of them costs a quarter of the writing and makes files larger."""


@dataclass(frozen=True)
class PartFile:
    """One written Parquet file, relative to its table's folder."""

    path: str
    size: int
    dt: str
    rows: int
    stats: str


def write_parts(name: str, folder: str, frame: pl.DataFrame, extra: Columns | None = None) -> list[PartFile]:
    """Writes rows of a table, one file a day, under names nobody has used; nothing is visible yet.

    ``extra``: columns beyond the declared ones.
    """
    parts = []
    for (day,), rows in arrow_ready(frame, name, extra).partition_by("dt", as_dict=True).items():
        place = f"dt={day}/part-{uuid.uuid4().hex}.parquet"
        target = Path(folder) / place
        target.parent.mkdir(parents=True, exist_ok=True)
        table = _to_delta_types(rows.drop("dt").to_arrow())
        repeating = [column for column in table.column_names if column not in _DISTINCT]
        pq.write_table(table, target, compression="zstd", compression_level=1, use_dictionary=repeating)
        parts.append(PartFile(posixpath.normpath(place), target.stat().st_size, str(day), rows.height, _stats(rows)))
    return parts


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
    delta = Schema.from_arrow(_to_delta_types(schema.to_frame().to_arrow()).schema)
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


def _to_delta_types(table: pa.Table) -> pa.Table:
    """Delta knows microseconds only, and no large or view types."""
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", tz="UTC")
        elif pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            kind = pa.string()
        elif pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
            kind = pa.binary()
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields))


def _stats(rows: pl.DataFrame) -> str:
    """Delta's file statistics: row count, bounds and nulls of the columns that engines can skip by."""
    plain = [name for name, dtype in rows.schema.items() if name != "dt" and dtype not in (pl.Binary, pl.Boolean)]
    low, high = rows.select(pl.col(plain).min()).row(0, named=True), rows.select(pl.col(plain).max()).row(0, named=True)
    nulls = rows.select(pl.col(plain).null_count()).row(0, named=True)
    return json.dumps(
        {
            "numRecords": rows.height,
            "minValues": {name: _json(value) for name, value in low.items() if _json(value) is not None},
            "maxValues": {name: _json(_up(value)) for name, value in high.items() if _json(value) is not None},
            "nullCount": nulls,
        }
    )


def _up(value: Any) -> Any:
    """Statistics hold milliseconds: a bound must not be rounded below the value."""
    return value + timedelta(milliseconds=1) if isinstance(value, datetime) else value


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no such numbers
        return None
    return value
