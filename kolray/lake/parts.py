"""Parquet files of a table before a commit: one a day, written as rows come, with Delta's statistics."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from kolray.events import Columns
from kolray.lake.places import File, close_file, new_file
from kolray.lake.tables import arrow_ready
from kolray.settings import Place

_DISTINCT = {
    "event_id", "offset", "event_time", "kafka_time", "ingest_time", "available_at", "post_id", "author_id", "visitor",
    "text", "url", "key", "value",
}  # fmt: skip
"""Columns with hardly a value twice: a dictionary of them costs a quarter of the writing and makes files larger."""
_NO_BOUNDS = {"text", "url", "detail", "features"}
"""Long texts, by whose bounds nobody skips a file."""


@dataclass(frozen=True)
class PartFile:
    """One written Parquet file, relative to its table's folder."""

    path: str
    size: int
    dt: str
    rows: int
    stats: str


@dataclass
class _Open:
    """A day's file while rows come; ``written`` gets its metadata when it is closed."""

    path: str
    file: File
    writer: pq.ParquetWriter
    written: list[pq.FileMetaData]


class PartWriter:
    """Writes rows of a table as they come, so that no more than one ``write``'s rows are in memory.

    Each day gets one file under a name nobody has used; the rows of one ``write`` are a row group of it. Nothing is
    visible before the files that ``close`` returns are committed.

    Args:
        extra: columns beyond the declared ones.
    """

    def __init__(self, name: str, folder: Place, extra: Columns | None = None) -> None:
        self._name, self._folder, self._extra = name, folder, extra
        self._open: dict[date, _Open] = {}

    def write(self, frame: pl.DataFrame) -> None:
        """Adds rows with the table's columns and ``dt``."""
        ready = arrow_ready(frame, self._name, self._extra)
        for day in ready["dt"].unique():
            rows = ready if ready["dt"].n_unique() == 1 else ready.filter(pl.col("dt") == day)
            table = delta_types(rows.drop("dt").to_arrow())
            if day not in self._open:
                self._open[day] = self._begin(day, table)
            self._open[day].writer.write_table(table)

    def _begin(self, day: date, table: pa.Table) -> _Open:
        path = f"dt={day}/part-{uuid.uuid4().hex}.parquet"
        file = new_file(self._folder, path)
        written: list[pq.FileMetaData] = []
        rising = {field.name: "DELTA_BINARY_PACKED" for field in table.schema if _rises(field)}
        writer = pq.ParquetWriter(
            file,
            table.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[column.name for column in table.schema if _repeats(column)],
            column_encoding=rising,
            write_statistics=[column for column in table.column_names if column not in _NO_BOUNDS],
            metadata_collector=written,
        )
        return _Open(path, file, writer, written)

    def close(self) -> list[PartFile]:
        """Ends the files and tells what they are."""
        parts = []
        for day, part in self._open.items():
            part.writer.close()
            [metadata] = part.written
            size = close_file(part.file)
            parts.append(PartFile(part.path, size, str(day), metadata.num_rows, _stats(metadata)))
        self._open = {}
        pa.default_memory_pool().release_unused()  # a worker goes on to other work, and Arrow would keep it
        return parts


def write_parts(name: str, folder: Place, frame: pl.DataFrame, extra: Columns | None = None) -> list[PartFile]:
    """Rows that are there already as a table's files, one a day (see ``PartWriter``)."""
    writer = PartWriter(name, folder, extra)
    writer.write(frame)
    return writer.close()


def delta_types(table: pa.Table) -> pa.Table:
    """Delta knows microseconds only, and no large or view types."""
    return table.cast(pa.schema(_delta_fields(table.schema)))


def _delta_fields(schema: pa.Schema) -> Iterator[pa.Field]:
    for column in schema:
        kind = column.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", tz="UTC")
        elif pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            kind = pa.string()
        elif pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
            kind = pa.binary()
        yield pa.field(column.name, kind)


def _repeats(column: pa.Field) -> bool:
    return column.name not in _DISTINCT and not pa.types.is_floating(column.type)


def _rises(column: pa.Field) -> bool:
    """Offsets and times grow from row to row: their differences take a third of the room."""
    return column.name == "offset" or (pa.types.is_timestamp(column.type) and column.name in _DISTINCT)


def _stats(metadata: pq.FileMetaData) -> str:
    """Delta's file statistics, from Parquet's own: row count, bounds and nulls of the columns engines can skip by."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    low, high, nulls = {}, {}, {}
    for index in range(metadata.num_columns):
        name = metadata.schema.column(index).path
        held = [group.column(index).statistics for group in groups]
        if any(part is None or not part.has_null_count or _unordered(part) for part in held):
            continue
        nulls[name] = sum(part.null_count for part in held)
        full = [part for part in held if part.num_values]
        if full and all(part.has_min_max for part in full):  # a long text in one group: the others' bounds are not it
            low[name] = _json(min(part.min for part in full))
            high[name] = _json(_up(max(part.max for part in full)))
    return json.dumps(
        {
            "numRecords": metadata.num_rows,
            "minValues": {name: value for name, value in low.items() if value is not None},
            "maxValues": {name: value for name, value in high.items() if value is not None},
            "nullCount": nulls,
        }
    )


def _unordered(held: pq.Statistics) -> bool:
    """Booleans and bytes."""
    text = held.logical_type is not None and held.logical_type.type == "STRING"
    return held.physical_type == "BOOLEAN" or (held.physical_type == "BYTE_ARRAY" and not text)


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
