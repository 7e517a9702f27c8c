"""The slower ways of decoding: one batch's records, values apart from their frames, the bad ones found by halving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl
from kafka.errors import KafkaError
from kafka.record.default_records import DefaultRecordBatch

from kolray.errors import SchemaError
from kolray.events import SCHEMAS, Columns, Kind, conform
from kolray.schemas.evolution import changed_types
from kolray.schemas.registry import AvroSchema, Registry
from kolray.schemas.wire import HEADER_BYTES, decode_value, schema_id_of
from kolray.stream.container import ValueContainer, frame_container
from kolray.stream.fetch import RawBatch

PLACE: Columns = {
    "topic": pl.String,
    "partition": pl.Int32,
    "offset": pl.Int64,
    "kafka_ms": pl.Int64,
    "schema_id": pl.Int32,
}
RECORD: Columns = {"offset": pl.Int64, "kafka_ms": pl.Int64, "key": pl.Binary, "value": pl.Binary, "reason": pl.String}
REJECTED: Columns = {
    "topic": pl.String,
    "partition": pl.Int32,
    "offset": pl.Int64,
    "kafka_ms": pl.Int64,
    "reason": pl.String,
    "key": pl.Binary,
    "value": pl.Binary,
}
Piece = tuple[pl.DataFrame, pl.DataFrame | None]
"""Records with their decoded fields, or bad records with their reasons and None."""

_FRAME = frame_container()


def records_of(batch: RawBatch) -> pl.DataFrame:
    """The records of one batch from ``first_offset`` on, values undecoded, as ``RECORD``.

    ``reason`` is set where a record cannot be read at all; its offset is then all that is known.
    """
    rows = None if batch.problem else _columnar_records(batch)
    if rows is None:
        rows = _iterated_records(batch)
    return rows.filter(pl.col("offset") >= batch.first_offset)


def _columnar_records(batch: RawBatch) -> pl.DataFrame | None:
    read = _FRAME.read(batch.count, [batch.body])
    if read is None or not ((read["_hdr"] == 0) & (read["_off"] == pl.int_range(batch.count, eager=True))).all():
        return None
    at = pl.lit(batch.append_ms) if batch.append_ms is not None else pl.col("_ts") + batch.first_ms
    return read.select(
        offset=pl.col("_off") + batch.base_offset,
        kafka_ms=at.cast(pl.Int64),
        key="_key",
        value="_value",
        reason=pl.lit(None, pl.String),
    )


def _iterated_records(batch: RawBatch) -> pl.DataFrame:
    """By the library's own iterator: null keys and values, headers, compacted batches, broken records."""
    rows: list[tuple[int, int, bytes | None, bytes | None, str | None]] = []
    problem = batch.problem
    try:
        for r in _iterate(batch):
            rows.append((r.offset, r.timestamp, r.key, r.value, None if r.value else "empty value"))
    except (KafkaError, ValueError, IndexError, UnicodeDecodeError) as error:
        problem = f"broken record batch: {error}"
    if problem:
        seen = rows[-1][0] + 1 if rows else batch.base_offset
        at = batch.first_ms if batch.append_ms is None else batch.append_ms
        rows += [(offset, at, None, None, problem) for offset in range(seen, batch.last_offset + 1)]
    return pl.DataFrame(rows, schema=RECORD, orient="row")


def _iterate(batch: RawBatch) -> Iterator[DefaultRecordBatch]:
    if batch.problem:
        return iter(())
    head = bytearray(batch.head)
    head[22] &= ~0x07  # the body is decompressed: clear the codec bits (low byte of the attributes)
    return iter(DefaultRecordBatch(bytes(head) + batch.body))


class ValueDecoder:
    """Decodes values by their writers' schemas, columnar as far as they allow.

    Args:
        types: the columns of each kind.
    """

    def __init__(self, registry: Registry, types: Mapping[Kind, Columns] = SCHEMAS) -> None:
        self._registry = registry
        self._types = types
        self._containers: dict[int, ValueContainer] = {}
        self._misfits: dict[tuple[Kind, int], list[str]] = {}

    def decode(
        self, kind: Kind, batch: RawBatch, offsets: pl.Series | None = None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Decoded rows as the kind's columns, ``PLACE`` and ``_key``, and the undecodable as ``REJECTED``.

        Args:
            offsets: only these records of the batch; none: all.
        """
        records = records_of(batch)
        if offsets is not None:
            records = records.filter(pl.col("offset").is_in(offsets.implode()))
        broken = records.filter(pl.col("reason").is_not_null())
        good, bad = [], [broken]
        whole = records.filter(pl.col("reason").is_null()).with_columns(head=pl.col("value").bin.head(HEADER_BYTES))
        for _, group in whole.group_by("head", maintain_order=True):
            for rows, fields in self._decode_group(kind, group):
                if fields is None:
                    bad.append(rows)
                else:
                    good.append(self._event_rows(kind, batch, rows, fields))
        empty = pl.DataFrame(schema={**self._types[kind], **PLACE, "_key": pl.Binary})
        rejected = pl.concat([b.select(*RECORD) for b in bad]).with_columns(**_topic_of(batch)).select(*REJECTED)
        return pl.concat([empty, *good]), rejected

    def _decode_group(self, kind: Kind, group: pl.DataFrame) -> list[Piece]:
        try:
            schema_id = schema_id_of(group["value"][0])
            writer = self._registry.schema(schema_id)
            self._refuse_misfits(kind, schema_id, writer)
        except SchemaError as error:
            return [(group.with_columns(reason=pl.lit(str(error))), None)]
        if schema_id not in self._containers:
            self._containers[schema_id] = ValueContainer(writer)
        read = self._containers[schema_id].read(_bodies(group))
        return [(group, read)] if read is not None else self._one_by_one(schema_id, writer, group)

    def _refuse_misfits(self, kind: Kind, schema_id: int, writer: AvroSchema) -> None:
        """A field of another type would stop the whole batch where it is cast."""
        if (kind, schema_id) not in self._misfits:
            self._misfits[kind, schema_id] = changed_types(self._types[kind], writer)
        if found := self._misfits[kind, schema_id]:
            raise SchemaError(f"schema id {schema_id}: {'; '.join(found)}")

    def _one_by_one(self, schema_id: int, writer: AvroSchema, group: pl.DataFrame) -> list[Piece]:
        """Finds the bad ones with the row reader, which names what is wrong, and reads the rest as columns."""
        reasons = [_reason(value, writer) for value in group["value"]]
        group = group.with_columns(reason=pl.Series(reasons, dtype=pl.String))
        bad = group.filter(pl.col("reason").is_not_null())
        return [(bad, None), *self._halve(schema_id, group.filter(pl.col("reason").is_null()))]

    def _halve(self, schema_id: int, group: pl.DataFrame) -> list[Piece]:
        """Columns of values the row reader accepts; one that only it accepts is isolated and rejected."""
        if not group.height:
            return []
        read = self._containers[schema_id].read(_bodies(group))
        if read is not None:
            return [(group, read)]
        if group.height == 1:
            return [(group.with_columns(reason=pl.lit("body has values out of range of its schema")), None)]
        middle = group.height // 2
        return self._halve(schema_id, group[:middle]) + self._halve(schema_id, group[middle:])

    def _event_rows(self, kind: Kind, batch: RawBatch, rows: pl.DataFrame, fields: pl.DataFrame) -> pl.DataFrame:
        schema_id = schema_id_of(rows["value"][0])
        placed = fields.hstack(rows.select("offset", "kafka_ms", pl.col("key").alias("_key")))
        placed = placed.with_columns(**_topic_of(batch), schema_id=pl.lit(schema_id, pl.Int32))
        return placed.select(*conform(self._types[kind], placed.columns), *PLACE, "_key")


def _bodies(group: pl.DataFrame) -> list[bytes]:
    bodies: list[bytes] = group["value"].bin.slice(HEADER_BYTES).to_list()
    return bodies


def _reason(value: bytes, writer: AvroSchema) -> str | None:
    try:
        decode_value(value, writer)
    except SchemaError as error:
        return str(error)
    return None


def _topic_of(batch: RawBatch) -> dict[str, pl.Expr]:
    return {"topic": pl.lit(batch.topic), "partition": pl.lit(batch.partition, pl.Int32)}
