"""Kafka record batches (format v2) made of columns: rows by partition, cut to size, compressed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import cramjam
import google_crc32c
import numpy as np
import numpy.typing as npt
import polars as pl

from kolray.events import NEEDED_TEXTS, RAW_TOPICS, SCHEMAS, TIME
from kolray.schemas.columns import AvroColumns, Ints
from kolray.schemas.registry import packaged_schema

BATCH_BYTES = 512 << 10
"""A batch ends before it is longer, uncompressed; a broker takes a megabyte by default."""
_HEAD = struct.Struct(">qiibIhiqqqhii")
_BEFORE_LENGTH, _BEFORE_CRC, _CRC_END = 12, 17, 21
_ZSTD = 4


class BuiltRecords:
    """The records of one batch, as kafka-python's accumulator asks for them instead of its own builder's.

    Producer id and sequence are set once, when the batch is first sent, and are in its checksum: a batch that is sent
    again is the same to the byte, by which the broker knows it.
    """

    def __init__(self, body: bytes, count: int, first_ms: int, last_ms: int) -> None:
        self._body, self._count, self._first_ms, self._last_ms = body, count, first_ms, last_ms
        self.producer_id, self.producer_epoch, self.base_sequence = -1, -1, -1
        self._built: bytes | None = None

    def set_producer_state(self, producer_id: int, epoch: int, base_sequence: int, is_transactional: bool) -> None:
        del is_transactional
        self.producer_id, self.producer_epoch, self.base_sequence = producer_id, epoch, base_sequence

    def close(self) -> None:
        """Makes the bytes; again does nothing."""
        if self._built is not None:
            return
        size = _HEAD.size + len(self._body)
        head = _HEAD.pack(
            0, size - _BEFORE_LENGTH, -1, 2, 0, _ZSTD, self._count - 1, self._first_ms, self._last_ms,
            self.producer_id, self.producer_epoch, self.base_sequence, self._count,
        )  # fmt: skip
        checksum = google_crc32c.extend(google_crc32c.value(head[_CRC_END:]), self._body)
        self._built = b"".join([head[:_BEFORE_CRC], checksum.to_bytes(4, "big"), head[_CRC_END:], self._body])
        self._body = b""

    def buffer(self) -> bytes:
        """The whole batch."""
        self.close()
        return self._built or b""

    def size_in_bytes(self) -> int:
        return len(self._built) if self._built is not None else _HEAD.size + len(self._body)

    def next_offset(self) -> int:
        """How many records."""
        return self._count

    def is_full(self) -> bool:
        return True

    def append(self, *record: object) -> None:
        """Takes no more."""


@dataclass(frozen=True)
class Built:
    """A batch and where it goes."""

    partition: int
    count: int
    records: BuiltRecords


def record_batches(columns: AvroColumns, times: Ints, schema_id: int, n_partitions: int) -> Iterator[Built]:
    """Every row once, in its order within a partition.

    Args:
        times: Kafka timestamps of the rows, ms.
    """
    where = columns.partitions(n_partitions)
    order = np.argsort(where, kind="stable").astype(np.int64)
    bounds = columns.bounds()[order]
    ends = np.searchsorted(where[order], np.arange(n_partitions), side="right")
    first = 0
    for partition, end in enumerate(ends.tolist()):
        for stop in _cuts(bounds, first, end):
            rows = order[first:stop]
            section = columns.records(rows, times, schema_id, int(bounds[first:stop].sum()))
            body = bytes(cramjam.zstd.compress(section, 1))
            first_ms, last_ms = int(times[rows[0]]), int(times[rows].max())
            yield Built(partition, len(rows), BuiltRecords(body, len(rows), first_ms, last_ms))
            first = stop


def _cuts(bounds: npt.NDArray[np.int64], first: int, end: int) -> Iterator[int]:
    """Where the batches of one partition end: as many rows as fit, but one at least."""
    sums = np.cumsum(bounds[first:end])
    at, before = 0, 0
    while at < end - first:
        at = max(at + 1, int(np.searchsorted(sums, before + BATCH_BYTES, side="right")))
        before = int(sums[at - 1])
        yield first + at


def warm_up() -> None:
    """Compiles the writer of records and keeps it on disk, for seconds that the first command would wait."""
    for kind, topic in RAW_TOPICS.items():
        one = {name: pl.Series(name, [None], dtype=dtype) for name, dtype in SCHEMAS[kind].items()}
        one |= {name: pl.Series(name, ["x"]) for name in (*NEEDED_TEXTS[kind], "event_type", "visitor", "url")}
        row = pl.DataFrame(one).with_columns(event_time=pl.lit(0).cast(TIME), consent=pl.lit(value=True))
        list(record_batches(AvroColumns.of(row, packaged_schema(topic)), np.zeros(1, np.int64), 0, 1))
