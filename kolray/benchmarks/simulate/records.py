"""Record batches made in memory by the client's own builder, as a broker would return them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from kafka import TopicPartition
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from kolray.events import RAW_TOPICS, SCHEMAS, Kind
from kolray.schemas.registry import VERSIONS
from kolray.schemas.wire import encode_rows
from kolray.stream.fetch import RawBatch, raw_batch

Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Key, value, headers."""


def event_frame(kind: Kind, rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Rows as ``SCHEMAS[kind]``; times are ms since the epoch, columns not named are null."""
    raw = {name: pl.Int64 if isinstance(dtype, pl.Datetime) else dtype for name, dtype in SCHEMAS[kind].items()}
    frame = pl.DataFrame(rows, schema=raw, orient="row") if rows else pl.DataFrame(schema=raw)
    return frame.cast(pl.Schema(SCHEMAS[kind]))


def records(kind: Kind, frame: pl.DataFrame) -> list[Record]:
    """The record of each event."""
    topic = RAW_TOPICS[kind]
    values = encode_rows(topic, VERSIONS[topic][-1].id, frame)
    return [(kol.encode(), value, []) for kol, value in zip(frame["kol_id"], values, strict=True)]


def batch(
    kind: Kind, items: Sequence[Record], base: int = 0, at_ms: int = 0, start: int = 0, partition: int = 0
) -> RawBatch:
    """One record batch with consecutive offsets from ``base``; ``start``: the offset asked for."""
    builder = MemoryRecordsBuilder(2, 0, 1 << 30)
    for key, value, headers in items:
        builder.append(at_ms, key, value, headers)
    builder.close()
    data = bytearray(builder.buffer())
    data[0:8] = base.to_bytes(8, "big")  # the broker assigns the base offset; it is outside the CRC
    parsed = MemoryRecords(bytes(data)).next_batch()
    return raw_batch(TopicPartition(RAW_TOPICS[kind], partition), parsed, start)
