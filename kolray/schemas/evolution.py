"""What a writer's schema may change: fields may be added, optional ones may go; a type or a needed field may not.

Avro's own rules of resolution, with kolray's packaged schema as the reader, for flat fields.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from kolray.errors import SchemaError
from kolray.events import RAW_TOPICS, SCHEMAS, TIME, Columns, Kind
from kolray.schemas.registry import AvroSchema, packaged_schema

_PLAIN: Columns = {
    "string": pl.String,
    "enum": pl.String,
    "int": pl.Int64,
    "long": pl.Int64,
    "float": pl.Float64,
    "double": pl.Float64,
    "boolean": pl.Boolean,
}
_LOGICAL: dict[str | None, pl.DataType | type[pl.DataType] | None] = {
    "timestamp-millis": TIME,
    "timestamp-micros": TIME,
    "date": pl.Date,
    "uuid": pl.String,
}
_PROMOTED = {(pl.Int64, pl.Float64), (pl.Int64, TIME)}
"""(written, read): an integer where a number or milliseconds are read."""
_NAMES: dict[Any, str] = {
    pl.String: "text", pl.Int64: "integer", pl.Float64: "number", pl.Boolean: "boolean", TIME: "time", pl.Date: "date",
}  # fmt: skip


def column_type(avro: Any) -> pl.DataType | type[pl.DataType] | None:
    """The column that holds an Avro type, null's union or not; None for what is not flat (records, lists …)."""
    if isinstance(avro, list):
        others = [branch for branch in avro if branch != "null"]
        return column_type(others[0]) if len(others) == 1 else None
    if isinstance(avro, dict):
        logical = avro.get("logicalType")
        return _PLAIN.get(str(avro["type"])) if logical is None else _LOGICAL.get(logical)
    return _PLAIN.get(str(avro))


def changed_types(types: Columns, writer: AvroSchema) -> list[str]:
    """Fields of a writer whose values do not fit the columns of that name, as ``field is X, not Y``."""
    found = []
    for field in writer["fields"]:
        wanted, written = types.get(field["name"]), column_type(field["type"])
        if wanted is not None and written != wanted and (written, wanted) not in _PROMOTED:
            found.append(f"{field['name']} is {type_name(written)}, not {type_name(wanted)}")
    return found


def type_name(dtype: object) -> str:
    """A column's type in words."""
    return _NAMES.get(dtype, "not a flat type")


def extra_fields(kind: Kind, writer: AvroSchema) -> Columns:
    """Flat fields of a writer that this version of kolray does not know, as columns. Others stay in Kafka."""
    typed = ((field["name"], column_type(field["type"])) for field in writer["fields"])
    return {name: dtype for name, dtype in typed if name not in SCHEMAS[kind] and dtype is not None}


def agree(kind: Kind, writers: Mapping[int, AvroSchema], held: Columns, reserved: Collection[str]) -> Columns:
    """Checks all schemas of a topic against the contract and one another.

    Args:
        writers: schema id → schema, all that are registered for the topic.
        held: columns beyond the contract that the lake has already.
        reserved: names that no field may have, being the lake's own.

    Returns:
        The columns beyond the contract that these writers fill.

    Raises:
        SchemaError: a needed field is gone, a type has changed, or a name is taken; says which, and the way out.
    """
    columns: Columns = {}
    for schema_id, writer in sorted(writers.items()):
        known = SCHEMAS[kind] | held | columns
        problems = contract_problems(kind, writer, known)
        taken = {name.lower(): name for name in (*known, *reserved)}
        for name, dtype in extra_fields(kind, writer).items():
            if taken.get(name.lower(), name) != name or name in reserved:
                problems.append(f"{name} is the name of a column of the lake's own")
            columns.setdefault(name, dtype)
        if problems:
            raise SchemaError(_refusal(RAW_TOPICS[kind], schema_id, problems))
    return columns


def contract_problems(kind: Kind, writer: AvroSchema, known: Columns | None = None) -> list[str]:
    """What a writer breaks of the contract: needed fields that it lacks, types of ``known`` columns that it changes."""
    lacking = [f"{name} is missing" for name in _missing(kind, writer)]
    return lacking + changed_types(known or SCHEMAS[kind], writer)


def _missing(kind: Kind, writer: AvroSchema) -> list[str]:
    """Fields the contract needs, that is those without a default, which a writer lacks."""
    written = {field["name"] for field in writer["fields"]}
    fields = packaged_schema(RAW_TOPICS[kind])["fields"]
    return [field["name"] for field in fields if "default" not in field and field["name"] not in written]


def _refusal(topic: str, schema_id: int, problems: list[str]) -> str:
    return (
        f"schema {schema_id} of {topic}-value breaks the contract: {'; '.join(problems)}. Nothing was written. "
        "Delete this version from the registry and register one that keeps the field as it was, with what is new under "
        "a name of its own and a default; records written by it meanwhile are to be sent again."
    )
