"""Avro containers built around bytes that are already Avro, so that polars reads them as columns.

The records section of a Kafka v2 batch is byte for byte an Avro data block: its varints are Avro longs, its
length-prefixed keys Avro bytes. ``FRAME`` names those fields; the value behind them is bytes here. Values can be read
the same way by their writer's schema; a nonce behind each proves that it ended where it should.
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
HEADERS = {"name": "_hdr", "type": "long"}


class Container:
    """Reads concatenated records of one schema. ``read`` returns None when the bytes do not follow it."""

    def __init__(self, fields: list[Any]) -> None:
        out = io.BytesIO()
        fastavro.writer(out, {"type": "record", "name": "Record", "fields": fields}, [], codec="null")
        self._head = out.getvalue()
        self._sync = self._head[-SYNC_BYTES:]

    def read(self, count: int, sections: list[bytes]) -> pl.DataFrame | None:
        size = sum(map(len, sections))
        data = b"".join([self._head, zigzag(count), zigzag(size), *sections, self._sync])
        try:
            frame = pl.read_avro(io.BytesIO(data))
        except (pl.exceptions.PolarsError, PanicException, OSError, OverflowError, ValueError):
            return None  # a huge length makes polars panic, which is no Exception: hence by name
        return frame if frame.height == count else None


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
