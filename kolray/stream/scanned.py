"""The compiled pass over one schema's batches, as polars columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from kolray.schemas.memory import address_of
from kolray.stream.fetch import RawBatch
from kolray.stream.program import Program
from kolray.stream.records import DOUBTED, GOOD, PADDING, Bytes, Ints, gather, scan


@dataclass(frozen=True)
class Scanned:
    """``frame``: one row a record: the program's columns, ``offset`` and ``kafka_ms``. ``good``: boolean, which of them
    are believed; None: all. The others' values mean nothing.
    """

    frame: pl.DataFrame
    good: pl.Series | None
    flags: Bytes

    def doubts(self, group: Sequence[RawBatch]) -> Iterator[tuple[RawBatch, pl.Series]]:
        """Batches with doubted records, and these records' offsets."""
        if self.good is None:
            return
        ends = list(accumulate(batch.count for batch in group))
        for batch, end in zip(group, ends, strict=True):
            mine = self.flags[end - batch.count : end] == DOUBTED
            if mine.any():
                yield batch, self.frame["offset"][end - batch.count : end].filter(pl.Series(mine))


def scan_batches(program: Program, group: Sequence[RawBatch], schema_id: int, far_future_ms: int) -> Scanned:
    """Runs ``records.scan`` over whole batches of one schema."""
    data = np.frombuffer(b"".join([*(batch.body for batch in group), bytes(PADDING)]), dtype=np.uint8)
    n = sum(batch.count for batch in group)
    flags, offsets, times = np.empty(n, np.uint8), np.empty(n, np.int64), np.empty(n, np.int64)
    ints = np.empty((len(program.numbers), n), np.int64)
    nulls = np.zeros((len(program.numbers), n), np.bool_)
    spots, sizes = np.empty((len(program.texts), n), np.int64), np.empty((len(program.texts), n), np.int32)
    scan(
        address_of(data), _heads(group), _wire_head(schema_id), far_future_ms,
        address_of(program.fields), len(program.fields), address_of(program.choices), len(program.choices),
        flags, offsets, times, *map(address_of, (ints, nulls, spots, sizes)),
    )  # fmt: skip
    good = flags == GOOD
    if not good.all():
        sizes[:, ~good] = 0  # what a doubted record left there means nothing
    columns = {"offset": _number_column(pa.int64(), offsets), "kafka_ms": _number_column(pa.int64(), times)}
    for k, name in enumerate(program.numbers):
        columns[name] = _number_column(pa.float64() if name in program.doubles else pa.int64(), ints[k], nulls[k])
    for k, name in enumerate(program.texts):
        columns[name] = _text_column(spots[k], sizes[k])
    del data  # the texts' addresses point into it
    frame = pl.DataFrame(pa.table(columns))
    return Scanned(frame, None if good.all() else pl.Series(good), flags)


def _wire_head(schema_id: int) -> np.uint64:
    """The five bytes every value of this schema begins with, as ``scan`` compares them."""
    return np.uint64(int.from_bytes(b"\x00" + schema_id.to_bytes(4, "big"), "little"))


def _heads(group: Sequence[RawBatch]) -> Ints:
    """``batches`` of ``records.scan``."""
    starts = accumulate((len(batch.body) for batch in group), initial=0)
    rows = list(accumulate((batch.count for batch in group), initial=0))
    heads = [
        (at, row, b.count, b.base_offset, b.first_offset, b.first_ms, -1 if b.append_ms is None else b.append_ms)
        for at, row, b in zip(starts, rows, group, strict=False)
    ]
    end = (sum(len(batch.body) for batch in group), rows[-1], 0, 0, 0, 0, 0)
    return np.array([*heads, end], dtype=np.int64)


def _number_column(kind: pa.DataType, values: Ints, nulls: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """A column of eight bytes a value over this memory; ``pa.array`` would import pandas: a second, and 40 MB."""
    valid = None
    if nulls is not None and nulls.any():
        valid = pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(values)])


def _text_column(spots: Ints, sizes: npt.NDArray[np.int32]) -> pa.Array:
    """A column of texts of its own memory, so that no fetch is kept alive by a short text of it."""
    n, ends = len(spots), np.zeros(len(spots) + 1, np.int64)
    there = sizes >= 0
    out = np.empty(int(sizes[there].sum(dtype=np.int64)) + PADDING, np.uint8)
    gather(spots, sizes, ends, address_of(out))
    valid = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.Array.from_buffers(pa.large_string(), n, [valid, pa.py_buffer(ends), pa.py_buffer(out)])
