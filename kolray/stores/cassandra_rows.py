"""Rows as Cassandra's wire format has them, made column by column: binding value by value is most of a write's cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

_DAY_ZERO = 1 << 31
"""What CQL's ``date`` adds to the days since 1970."""
Values = tuple[bytes | None, ...]


def encoded_rows(rows: pl.DataFrame) -> Iterator[Values]:
    """Each row as the bytes of CQL's text, boolean, bigint, double, date or timestamp; null as None."""
    return zip(*(_encoded(column) for column in rows), strict=True)


def _encoded(column: pl.Series) -> list[bytes | None]:
    if column.dtype == pl.String:
        return column.cast(pl.Binary).to_list()
    plain = column.fill_null(strategy="zero") if column.null_count() else column
    values: list[Any] = _numbers(plain).tolist()
    if not column.null_count():
        return values
    filled = np.array(values, dtype=object)
    filled[column.is_null().to_numpy()] = None
    return filled.tolist()


def _numbers(column: pl.Series) -> npt.NDArray[Any]:
    """Big-endian values as raw bytes."""
    if column.dtype == pl.Date:
        return (column.cast(pl.Int64).to_numpy() + _DAY_ZERO).astype(">u4").view("V4")
    if column.dtype == pl.Boolean:
        return column.cast(pl.UInt8).to_numpy().view("V1")
    if column.dtype == pl.Float64:
        return column.to_numpy().astype(">f8").view("V8")
    ms = column.dt.epoch("ms") if isinstance(column.dtype, pl.Datetime) else column
    return ms.cast(pl.Int64).to_numpy().astype(">i8").view("V8")
