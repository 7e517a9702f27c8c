"""A frame's columns as the compiled writer of records takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kolray.errors import SchemaError
from kolray.schemas.memory import address_of
from kolray.schemas.registry import AvroSchema
from kolray.schemas.written import (
    BOOLEAN,
    DOUBLE,
    FRAME_BYTES,
    LONG,
    PADDING,
    TEXT,
    body_sizes,
    partitions_of,
    put_records,
)

Ints = npt.NDArray[np.int64]
_OPS = {"long": LONG, "string": TEXT, "boolean": BOOLEAN, "double": DOUBLE}
_TYPES = {LONG: pl.Int64, BOOLEAN: pl.UInt8, DOUBLE: pl.Float64}


@dataclass(frozen=True)
class AvroColumns:
    """Rows ready to be written with a flat schema.

    ``sizes``: bytes of each row's Avro body; ``key_ends``: offsets of the keys; ``held`` keeps alive what the addresses
    in ``fields`` point into.
    """

    fields: Ints
    key_field: int
    key_ends: Ints
    sizes: Ints
    held: list[Any] = field(repr=False)

    @classmethod
    def of(cls, frame: pl.DataFrame, schema: AvroSchema, key: str = "kol_id") -> AvroColumns:
        """Columns are the schema's fields; a missing optional one is null.

        Args:
            key: the text column that is the records' key.

        Raises:
            SchemaError: a field that must be there is null or missing, or the schema is not flat.
        """
        held: dict[str, list[Any]] = {}
        rows = [_row(frame, one, held) for one in schema["fields"]]
        fields, sizes = np.array(rows, dtype=np.int64), np.empty(frame.height, np.int64)
        body_sizes(address_of(fields), len(fields), frame.height, sizes)
        key_field = [one["name"] for one in schema["fields"]].index(key)
        return cls(fields, key_field, held[key][0], sizes, list(held.values()))

    def partitions(self, n_partitions: int) -> npt.NDArray[np.int16]:
        """Where each row belongs."""
        out = np.empty(len(self.sizes), np.int16)
        partitions_of(address_of(self.fields), self.key_field, n_partitions, out)
        return out

    def bounds(self) -> Ints:
        """What no row's record is longer than, in bytes."""
        return self.sizes + np.diff(self.key_ends) + FRAME_BYTES

    def records(self, rows: Ints, times: Ints, schema_id: int, bound: int) -> memoryview:
        """The records section of a batch of these rows; its first timestamp is that of its first row.

        Args:
            times: Kafka timestamps of all rows, ms.
            bound: the sum of the rows' ``bounds()``.
        """
        out = np.empty(bound + PADDING, np.uint8)
        head = np.uint64(int.from_bytes(b"\x00" + schema_id.to_bytes(4, "big"), "little"))
        size = put_records(
            address_of(out), address_of(self.fields), len(self.fields), self.key_field,
            rows, self.sizes, times, times[rows[0]], head,
        )  # fmt: skip
        return out[:size].data


def _row(frame: pl.DataFrame, told: dict[str, Any], held: dict[str, list[Any]]) -> tuple[int, int, int, int, int]:
    """A field as ``written`` has it; what its addresses point into is put into ``held``, offsets of texts first."""
    name, kind = told["name"], told["type"]
    union = kind if isinstance(kind, list) else [kind]
    null_at = union.index("null") if "null" in union else -1
    given = [one["type"] if isinstance(one, dict) else one for one in union if one != "null"]
    op = _OPS.get(given[0]) if len(given) == 1 else None
    if op is None:
        raise SchemaError(f"{name}: {kind} cannot be written by the column")
    column = frame[name] if name in frame.columns else pl.Series(name, [None] * frame.height, dtype=pl.Null)
    nulls = column.is_null().cast(pl.UInt8).to_numpy() if column.null_count() else None
    if nulls is not None and null_at < 0:
        raise SchemaError(f"{name}: null or missing in {column.null_count():,} events, and no event is without it")
    data, ends = _texts(column) if op == TEXT else (_numbers(column, op), None)
    held[name] = [ends, data, nulls]
    return op, null_at, _address(data), _address(ends), _address(nulls)


def _numbers(column: pl.Series, op: int) -> npt.NDArray[Any]:
    if isinstance(column.dtype, pl.Datetime):
        column = column.dt.epoch("ms")
    return np.ascontiguousarray(column.cast(_TYPES[op]).fill_null(0).to_numpy())


def _texts(column: pl.Series) -> tuple[npt.NDArray[np.uint8], Ints]:
    """All bytes of a text column, and its n + 1 offsets into them."""
    array = column.cast(pl.String).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, data = array.buffers()
    offsets = np.frombuffer(ends, dtype=np.int64, count=len(array) + 1, offset=array.offset * 8)
    return np.frombuffer(data or b"\0", dtype=np.uint8), offsets


def _address(array: npt.NDArray[Any] | None) -> int:
    return 0 if array is None else int(address_of(array))
