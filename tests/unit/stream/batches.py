"""Record batches made in memory by the client's own builder, as a broker would return them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from kafka import TopicPartition
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from kolray.events import RAW_TOPICS, SCHEMAS, Kind
from kolray.schemas.registry import FILES
from kolray.schemas.wire import encode_rows
from kolray.stream.fetch import RawBatch, _raw_batch

T0 = 1_760_000_100_000
"""A whole five minutes."""

Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]


def social_frame(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Valid engagement events with the given columns set."""
    base = {"kol_id": "kol_1", "platform": "youtube", "event_type": "engagement", "event_time": T0}
    full = [{"event_id": f"e{i}", **base, **row} for i, row in enumerate(rows)]
    return _frame("social", full)


def web_frame(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Valid web impressions with the given columns set."""
    base = {"kol_id": "kol_1", "campaign_id": "c1", "event_type": "impression", "event_time": T0}
    full = [
        {"event_id": f"w{i}", **base, "visitor": "v", "consent": True, "url": "https://x.example", **row}
        for i, row in enumerate(rows)
    ]
    return _frame("web", full)


def _frame(kind: Kind, rows: list[dict[str, object]]) -> pl.DataFrame:
    raw = {name: pl.Int64 if isinstance(dtype, pl.Datetime) else dtype for name, dtype in SCHEMAS[kind].items()}
    frame = pl.DataFrame(rows, schema=raw, orient="row") if rows else pl.DataFrame(schema=raw)
    return frame.cast(pl.Schema(SCHEMAS[kind]))


def records(kind: Kind, frame: pl.DataFrame) -> list[Record]:
    """(key, value, headers) of each event."""
    topic = RAW_TOPICS[kind]
    values = encode_rows(topic, FILES[topic][0], frame)
    return [(kol.encode(), value, []) for kol, value in zip(frame["kol_id"], values, strict=True)]


def batch(
    kind: Kind, items: Sequence[Record], base: int = 0, at_ms: int = T0, start: int = 0, partition: int = 0
) -> RawBatch:
    """One record batch with consecutive offsets from ``base``; ``start``: the offset asked for."""
    builder = MemoryRecordsBuilder(2, 0, 1 << 30)
    for key, value, headers in items:
        builder.append(at_ms, key, value, headers)
    builder.close()
    data = bytearray(builder.buffer())
    data[0:8] = base.to_bytes(8, "big")  # the broker assigns the base offset; it is outside the CRC
    parsed = MemoryRecords(bytes(data)).next_batch()
    return _raw_batch(TopicPartition(RAW_TOPICS[kind], partition), parsed, start)
