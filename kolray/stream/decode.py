"""Record batches to event columns: verified before believed, and one bad record never costs its batch.

Three ways, each taken only for what the one before it doubted:

1. all batches of one schema in one compiled pass that checks every byte and every rule (``records.py``),
2. the doubted records' values, columnar, as an Avro container of their own (mixed schemas, headers, null keys),
3. record by record, which says what is wrong with each bad one; the good ones stay columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from kolray.errors import SchemaError
from kolray.events import SCHEMAS, Columns, Kind, conform, invalid_reason
from kolray.schemas.evolution import changed_types
from kolray.schemas.registry import Registry
from kolray.stream.denied import DenyList
from kolray.stream.fetch import RawBatch
from kolray.stream.program import Program, compile_program
from kolray.stream.scanned import Scanned, scan_batches
from kolray.stream.values import PLACE, REJECTED, ValueDecoder, records_of


@dataclass(frozen=True)
class Decoded:
    """``frame``: valid events, the columns asked for and ``PLACE``, by offset in each partition.

    ``rejected``: the others with a reason, ``REJECTED``. ``denied``: how many were dropped, as they are of a KOL that
    was erased. Together they are every record of the batches once.
    """

    frame: pl.DataFrame
    rejected: pl.DataFrame
    denied: int = 0


class BatchDecoder:
    """Decodes batches of one kind of event.

    Args:
        registry: knows the writers' schemas.
        far_future_s: seconds an event's time may be ahead of its Kafka timestamp.
        columns: the columns wanted of each kind; none: all. The others are checked, not kept.
        extra: fields beyond ``SCHEMAS`` that newer writers may fill; null where a writer does not know them.
        denied: KOLs whose records are dropped; none: nobody's.
    """

    def __init__(
        self,
        registry: Registry,
        far_future_s: float = 300,
        columns: Mapping[Kind, Sequence[str]] | None = None,
        extra: Mapping[Kind, Columns] | None = None,
        denied: DenyList | None = None,
    ) -> None:
        self.registry = registry
        self._denied = denied
        self._far_future_ms = int(far_future_s * 1000)
        self._types = {kind: {**SCHEMAS[kind], **(extra or {}).get(kind, {})} for kind in SCHEMAS}
        self._wanted = {
            kind: {name: types[name] for name in (columns[kind] if columns else types)}
            for kind, types in self._types.items()
        }
        self._programs: dict[tuple[Kind, int], Program | None] = {}
        self._values = ValueDecoder(registry, self._types)

    def decode(self, kind: Kind, batches: Iterable[RawBatch]) -> Decoded:
        """Every record of one topic's batches from ``first_offset`` on, as valid event or as reject, or denied."""
        decoded = self._decode(kind, batches)
        if self._denied is None or not len(self._denied):
            return decoded
        frame = self._denied.allowed(decoded.frame)
        rejected = self._denied.allowed(decoded.rejected)
        dropped = decoded.frame.height - frame.height + decoded.rejected.height - rejected.height
        return Decoded(frame, rejected, dropped)

    def _decode(self, kind: Kind, batches: Iterable[RawBatch]) -> Decoded:
        groups: dict[int | None, list[RawBatch]] = defaultdict(list)
        for batch in batches:
            whole = not batch.problem and batch.count == batch.last_offset - batch.base_offset + 1
            groups[_first_schema_id(batch.body) if whole else None].append(batch)
        frames, rejects, careful = [], [], False
        for schema_id, group in groups.items():
            scanned = self._scan(kind, schema_id, group)
            if scanned is not None and schema_id is not None:
                frames.append(self._placed(kind, scanned, schema_id, group))
            doubts = [(batch, None) for batch in group] if scanned is None else scanned.doubts(group)
            for batch, offsets in doubts:
                careful = True
                judged = self._carefully(kind, batch, offsets)
                frames.append(judged.frame)
                rejects.append(judged.rejected)
        frame = frames[0] if len(frames) == 1 else pl.concat([self._empty(kind), *frames])
        frame = frame.sort("partition", "offset") if careful or len(groups) > 1 else frame
        return Decoded(frame, pl.concat([pl.DataFrame(schema=REJECTED), *rejects]))

    def _empty(self, kind: Kind) -> pl.DataFrame:
        return pl.DataFrame(schema={**self._wanted[kind], **PLACE})

    def _scan(self, kind: Kind, schema_id: int | None, group: list[RawBatch]) -> Scanned | None:
        """The first way; None where the schema is unknown or not flat."""
        if schema_id is None:
            return None
        if (kind, schema_id) not in self._programs:
            try:
                writer = self.registry.schema(schema_id)
            except SchemaError:
                return None
            misfit = changed_types(self._types[kind], writer)
            self._programs[kind, schema_id] = None if misfit else compile_program(kind, writer, self._wanted[kind])
        program = self._programs[kind, schema_id]
        return None if program is None else scan_batches(program, group, schema_id, self._far_future_ms)

    def _placed(self, kind: Kind, scanned: Scanned, schema_id: int, group: list[RawBatch]) -> pl.DataFrame:
        """The events that the first way believed, with their places."""
        [topic] = {batch.topic for batch in group}
        frame = scanned.frame.select(
            *conform(self._wanted[kind], scanned.frame.columns),
            pl.lit(topic).alias("topic"),
            _partitions(group).alias("partition"),
            "offset",
            "kafka_ms",
            pl.lit(schema_id, dtype=pl.Int32).alias("schema_id"),
        )
        return frame if scanned.good is None else frame.filter(scanned.good)

    def _carefully(self, kind: Kind, batch: RawBatch, offsets: pl.Series | None) -> Decoded:
        """The second way, which takes the third for what it doubts. ``offsets``: only these; none: all."""
        rows, undecodable = self._values.decode(kind, batch, offsets)
        judged = self._judge(kind, rows, batch)
        return Decoded(judged.frame.select(*self._wanted[kind], *PLACE), pl.concat([judged.rejected, undecodable]))

    def _judge(self, kind: Kind, rows: pl.DataFrame, batch: RawBatch) -> Decoded:
        """Splits decoded rows of one batch into valid events and rejects."""
        ahead = pl.col("event_time").dt.epoch("ms") - pl.col("kafka_ms") > self._far_future_ms
        reason = pl.coalesce(
            invalid_reason(kind),
            pl.when(ahead).then(pl.lit("far future: event_time")),
            pl.when(pl.col("_key").ne_missing(pl.col("kol_id").cast(pl.Binary))).then(pl.lit("key is not kol_id")),
        )
        rows = rows.with_columns(reason.alias("reason"))
        columns = [*self._types[kind], *PLACE]
        if rows["reason"].null_count() == rows.height:
            return Decoded(rows.select(columns), pl.DataFrame(schema=REJECTED))
        bad = rows.filter(pl.col("reason").is_not_null()).select("topic", "partition", "offset", "kafka_ms", "reason")
        return Decoded(rows.filter(pl.col("reason").is_null()).select(columns), _with_values(bad, batch))


def _partitions(group: list[RawBatch]) -> pl.Expr:
    """The partition of each record; of a single one, a constant."""
    numbers = [batch.partition for batch in group]
    if len(set(numbers)) == 1:
        return pl.lit(numbers[0], dtype=pl.Int32)
    return pl.lit(pl.Series(np.repeat(np.array(numbers, dtype=np.int32), [batch.count for batch in group])))


def _with_values(bad: pl.DataFrame, batch: RawBatch) -> pl.DataFrame:
    """Rejects of one batch with the bytes they came as."""
    raw = records_of(batch).select("offset", "key", "value")
    return bad.join(raw, on="offset", how="left", maintain_order="left").select(*REJECTED)


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
