"""Avro containers built around bytes that are already Avro, so that polars reads them as columns.

The records section of a Kafka v2 batch is byte for byte an Avro data block: its varints are Avro longs, its
length-prefixed keys Avro bytes. ``FRAME`` names those fields; behind it stand the event's own fields, read by its
writer's schema. Values alone can be read the same way; a nonce behind each proves that it ended where it should.
"""

from __future__ import annotations

import io
import secrets
from typing import Any

import fastavro
import polars as pl
from polars.exceptions import PanicException

from kolray.schemas.registry import AvroSchema

SYNC_BYTES = 16
NONCE_BYTES = 8


def _fixed(name: str, size: int) -> dict[str, Any]:
    return {"name": name, "type": {"type": "fixed", "name": f"F{name}", "size": size}}


FRAME = [
    {"name": "_len", "type": "long"},
    _fixed("_attr", 1),
    {"name": "_ts", "type": "long"},
    {"name": "_off", "type": "long"},
    {"name": "_key", "type": "bytes"},
]
WIRE_HEAD = [{"name": "_vlen", "type": "long"}, _fixed("_magic", 1), _fixed("_sid", 4)]
HEADERS = {"name": "_hdr", "type": "long"}


class Container:
    """Reads concatenated records of one schema. ``read`` returns None when the bytes do not follow it."""

    def __init__(self, fields: list[Any]) -> None:
        out = io.BytesIO()
        fastavro.writer(out, {"type": "record", "name": "Record", "fields": fields}, [], codec="null")
        self._head = out.getvalue()
        self._sync = self._head[-SYNC_BYTES:]

    def read(self, count: int, sections: list[bytes], columns: list[str] | None = None) -> pl.DataFrame | None:
        size = sum(map(len, sections))
        data = b"".join([self._head, zigzag(count), zigzag(size), *sections, self._sync])
        try:
            frame = pl.read_avro(io.BytesIO(data), columns=columns)
        except (pl.exceptions.PolarsError, PanicException, OSError, OverflowError, ValueError):
            return None  # a huge length makes polars panic, which is no Exception: hence by name
        return frame if frame.height == count else None


def record_container(writer: AvroSchema) -> Container:
    """Whole Kafka records whose values follow ``writer``."""
    return Container([*FRAME, *WIRE_HEAD, *writer["fields"], HEADERS])


def frame_container() -> Container:
    """Whole Kafka records with the value as opaque bytes in ``_value``."""
    return Container([*FRAME, {"name": "_value", "type": "bytes"}, HEADERS])


class ValueContainer:
    """Bodies of values that follow ``writer``, each proved to end where its record ends."""

    def __init__(self, writer: AvroSchema) -> None:
        self._container = Container([*writer["fields"], _fixed("_nonce", NONCE_BYTES)])
        self._nonce = secrets.token_bytes(NONCE_BYTES)

    def read(self, bodies: list[bytes]) -> pl.DataFrame | None:
        frame = self._container.read(len(bodies), [self._nonce.join(bodies), self._nonce])
        if frame is None or not frame.select((pl.col("_nonce") == pl.lit(self._nonce)).all()).item():
            return None
        return frame.drop("_nonce")


def zigzag(n: int) -> bytes:
    """A non-negative Avro long."""
    n <<= 1
    out = bytearray()
    while n & ~0x7F:
        out.append((n & 0x7F) | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def varint_width(value: pl.Expr) -> pl.Expr:
    """Bytes of a non-negative number below 2^34 as a zigzag varint."""
    zig = value * 2
    wider = [(zig >= 1 << bits).cast(pl.Int64) for bits in (7, 14, 21, 28)]
    return pl.sum_horizontal(pl.lit(1), *wider)
