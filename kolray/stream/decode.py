"""Record batches to event columns: verified before believed, and one bad record never costs its batch.

Three ways, each taken only for what the one before it doubted:

1. whole batches of one schema as one Avro container (no Python object per record),
2. the values of one batch as a container of their own (mixed schemas, headers, null keys),
3. record by record, which says what is wrong with each bad one; the good ones stay columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from kolray.errors import SchemaError
from kolray.events import SCHEMAS, Kind, invalid_reason
from kolray.schemas.registry import AvroSchema, Registry
from kolray.schemas.wire import HEADER_BYTES, decode_value
from kolray.stream.container import Container, record_container, varint_width
from kolray.stream.fetch import RawBatch
from kolray.stream.values import PLACE, REJECTED, ValueDecoder, conform, records_of

_CHECKED = ["_len", "_attr", "_ts", "_off", "_key", "_vlen", "_magic", "_sid", "_hdr"]


@dataclass(frozen=True)
class Decoded:
    """``frame``: valid events, ``SCHEMAS[kind]`` and ``PLACE``. ``rejected``: the others with a reason, ``REJECTED``.

    Together they hold every record of the batches once.
    """

    frame: pl.DataFrame
    rejected: pl.DataFrame


class BatchDecoder:
    """Decodes batches of one kind of event.

    Args:
        registry: knows the writers' schemas.
        far_future_s: seconds an event's time may be ahead of its Kafka timestamp.
    """

    def __init__(self, registry: Registry, far_future_s: float = 300) -> None:
        self.registry = registry
        self._far_future_ms = int(far_future_s * 1000)
        self._records: dict[tuple[Kind, int], tuple[Container, list[str]]] = {}
        self._values = ValueDecoder(registry)

    def decode(self, kind: Kind, batches: Iterable[RawBatch]) -> Decoded:
        """Every record of the batches from ``first_offset`` on, as valid event or as reject."""
        groups: dict[int | None, list[RawBatch]] = defaultdict(list)
        for batch in batches:
            whole = not batch.problem and batch.count == batch.last_offset - batch.base_offset + 1
            groups[_first_schema_id(batch.body) if whole else None].append(batch)
        parts = [part for schema_id, group in groups.items() for part in self._columns(kind, schema_id, group)]
        return Decoded(
            pl.concat([pl.DataFrame(schema={**SCHEMAS[kind], **PLACE}), *(p.frame for p in parts)]),
            pl.concat([pl.DataFrame(schema=REJECTED), *(p.rejected for p in parts)]),
        )

    def _columns(self, kind: Kind, schema_id: int | None, group: list[RawBatch]) -> list[Decoded]:
        """The first way for as many batches at once as it holds for, the others for what remains."""
        rows = self._whole(kind, schema_id, group)
        if rows is not None:
            return [self._judge(kind, rows, group)]
        if len(group) == 1:
            rows, undecodable = self._values.decode(kind, group[0])
            judged = self._judge(kind, rows, group)
            return [judged, Decoded(judged.frame.clear(), undecodable)]
        return [part for batch in group for part in self._columns(kind, schema_id, [batch])]

    def _whole(self, kind: Kind, schema_id: int | None, group: list[RawBatch]) -> pl.DataFrame | None:
        """The first way: rows as ``SCHEMAS[kind]``, ``PLACE`` and ``_key``; None on any doubt."""
        known = self._container(kind, schema_id)
        if known is None or schema_id is None:
            return None
        container, fields = known
        counts = np.array([batch.count for batch in group])
        read = container.read(int(counts.sum()), [batch.body for batch in group], [*_CHECKED, *fields])
        if read is None or not _believable(read, schema_id, group, counts):
            return None
        if not _last_ends(read["_vlen"][-1], group[-1].body, self.registry.schema(schema_id)):
            return None
        return _placed(kind, read, schema_id, group, counts)

    def _container(self, kind: Kind, schema_id: int | None) -> tuple[Container, list[str]] | None:
        if schema_id is None:
            return None
        if (kind, schema_id) not in self._records:  # a record of the other kind may have been misdirected here
            try:
                writer = self.registry.schema(schema_id)
            except SchemaError:
                return None
            fields = [f["name"] for f in writer["fields"] if f["name"] in SCHEMAS[kind]]
            self._records[kind, schema_id] = record_container(writer), fields
        return self._records[kind, schema_id]

    def _judge(self, kind: Kind, rows: pl.DataFrame, group: list[RawBatch]) -> Decoded:
        """Splits decoded rows into valid events and rejects."""
        ahead = pl.col("event_time").dt.epoch("ms") - pl.col("kafka_ms") > self._far_future_ms
        reason = pl.coalesce(
            invalid_reason(kind),
            pl.when(ahead).then(pl.lit("far future: event_time")),
            pl.when(pl.col("_key").ne_missing(pl.col("kol_id").cast(pl.Binary))).then(pl.lit("key is not kol_id")),
        )
        rows = rows.with_columns(reason.alias("reason"))
        columns = [*SCHEMAS[kind], *PLACE]
        if rows["reason"].null_count() == rows.height:
            return Decoded(rows.select(columns), pl.DataFrame(schema=REJECTED))
        bad = rows.filter(pl.col("reason").is_not_null()).select("topic", "partition", "offset", "kafka_ms", "reason")
        return Decoded(rows.filter(pl.col("reason").is_null()).select(columns), _with_values(bad, group))


def _believable(read: pl.DataFrame, schema_id: int, group: list[RawBatch], counts: np.ndarray) -> bool:
    """Frame fields as a writer of these records must have left them; sizes add up batch by batch."""
    constant = read.lazy().select(
        ok=(
            (pl.col("_attr") == b"\x00")
            & (pl.col("_magic") == b"\x00")
            & (pl.col("_sid") == schema_id.to_bytes(4, "big"))
            & (pl.col("_hdr") == 0)
            & pl.col("_len").is_between(1, (1 << 31) - 1)
        ).all(),
    )
    if not constant.collect().item():
        return False
    starts = np.cumsum(counts) - counts
    if not np.array_equal(read["_off"].to_numpy(), np.arange(counts.sum()) - np.repeat(starts, counts)):
        return False
    widths = read.select(pl.col("_len") + varint_width(pl.col("_len"))).to_series().to_numpy()
    sizes = np.array([len(batch.body) for batch in group])
    return np.array_equal(np.add.reduceat(widths, starts), sizes)


def _last_ends(size: int, body: bytes, writer: AvroSchema) -> bool:
    """Whether the last value follows its schema to its own end: no record stands behind it that would not fit."""
    if not HEADER_BYTES <= size < len(body):
        return False
    try:
        decode_value(body[-size - 1 : -1], writer)
    except SchemaError:
        return False
    return True


def _placed(kind: Kind, read: pl.DataFrame, schema_id: int, group: list[RawBatch], counts: np.ndarray) -> pl.DataFrame:
    heads = pl.DataFrame(
        {
            "topic": [b.topic for b in group],
            "partition": pl.Series([b.partition for b in group], dtype=pl.Int32),
            "_base": [b.base_offset for b in group],
            "_first": [b.first_offset for b in group],
            "_first_ms": [b.first_ms for b in group],
            "_append_ms": pl.Series([b.append_ms for b in group], dtype=pl.Int64),
        }
    )
    rows = read.hstack(heads[np.repeat(np.arange(len(group)), counts)]).with_columns(
        offset=pl.col("_base") + pl.col("_off"),
        kafka_ms=pl.coalesce("_append_ms", pl.col("_first_ms") + pl.col("_ts")),
        schema_id=pl.lit(schema_id, dtype=pl.Int32),
    )
    if any(batch.first_offset > batch.base_offset for batch in group):
        rows = rows.filter(pl.col("offset") >= pl.col("_first"))
    return rows.select(*conform(kind, read.columns), *PLACE, "_key")


def _with_values(bad: pl.DataFrame, group: list[RawBatch]) -> pl.DataFrame:
    """Rejects with the bytes they came as, fetched again from their batches."""
    wanted = bad.select("topic", "partition", "offset")
    raw = []
    for batch in group:
        mine = wanted.filter(
            (pl.col("topic") == batch.topic)
            & (pl.col("partition") == batch.partition)
            & pl.col("offset").is_between(batch.first_offset, batch.last_offset)
        )
        if mine.height:
            raw.append(mine.join(records_of(batch).select("offset", "key", "value"), on="offset", how="left"))
    return bad.join(pl.concat(raw), on=["topic", "partition", "offset"], how="left").select(*REJECTED)


def _first_schema_id(body: bytes) -> int | None:
    """The schema id of a section's first record; None where it has none. Groups batches; nothing rests on it."""
    try:
        at = _after_varint(body, 0) + 1
        at = _after_varint(body, _after_varint(body, at))
        length, at = _varint(body, at)
        at = _after_varint(body, at + max(length, 0))
        return int.from_bytes(body[at + 1 : at + 5], "big") if body[at] == 0 else None
    except IndexError:
        return None


def _after_varint(data: bytes, at: int) -> int:
    while data[at] & 0x80:
        at += 1
    return at + 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), at
