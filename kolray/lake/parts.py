"""Parquet files of a table before a commit: one a day, written as rows come, with Delta's statistics."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    """A day's file while rows come, and the bounds of what it holds."""

    path: str
    file: File
    writer: pq.ParquetWriter
    rows: int = 0
    low: list[pl.DataFrame] = field(default_factory=list)
    high: list[pl.DataFrame] = field(default_factory=list)
    nulls: list[pl.DataFrame] = field(default_factory=list)


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
        for (day,), rows in arrow_ready(frame, self._name, self._extra).partition_by("dt", as_dict=True).items():
            kept = rows.drop("dt")
            table = delta_types(kept.to_arrow())
            if day not in self._open:
                self._open[day] = self._begin(day, table)
            part = self._open[day]
            part.writer.write_table(table)
            part.rows += kept.height
            bounded = kept.select(name for name, dtype in kept.schema.items() if _has_bounds(name, dtype))
            part.low.append(bounded.min())
            part.high.append(bounded.max())
            part.nulls.append(bounded.null_count())

    def _begin(self, day: date, table: pa.Table) -> _Open:
        path = f"dt={day}/part-{uuid.uuid4().hex}.parquet"
        file = new_file(self._folder, path)
        repeating = [column for column in table.column_names if column not in _DISTINCT]
        writer = pq.ParquetWriter(file, table.schema, compression="zstd", compression_level=1, use_dictionary=repeating)
        return _Open(path, file, writer)

    def close(self) -> list[PartFile]:
        """Ends the files and tells what they are."""
        parts = []
        for day, part in self._open.items():
            part.writer.close()
            size = close_file(part.file)
            parts.append(PartFile(part.path, size, str(day), part.rows, _stats(part)))
        self._open = {}
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


def _has_bounds(name: str, dtype: pl.DataType) -> bool:
    return name not in _NO_BOUNDS and dtype not in (pl.Binary, pl.Boolean)


def _stats(part: _Open) -> str:
    """Delta's file statistics: row count, bounds and nulls of the columns that engines can skip by."""
    low, high = pl.concat(part.low).min().row(0, named=True), pl.concat(part.high).max().row(0, named=True)
    return json.dumps(
        {
            "numRecords": part.rows,
            "minValues": {name: _json(value) for name, value in low.items() if _json(value) is not None},
            "maxValues": {name: _json(_up(value)) for name, value in high.items() if _json(value) is not None},
            "nullCount": pl.concat(part.nulls).sum().row(0, named=True),
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
