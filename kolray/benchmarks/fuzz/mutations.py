"""What a record can have wrong with it, and what must become of it then.

A mutation takes the bytes of a valid event apart by their layout: five bytes of wire format, the length of
``event_id``, its ``ID_BYTES`` bytes, the other fields.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kolray.schemas.wire import HEADER_BYTES
from kolray.stream.container import zigzag

Verdict = Literal["event", "dead_letter", "either"]

HEAD = HEADER_BYTES
ID_BYTES = 11
"""Bytes of every ``event_id`` in the pool."""
BODY = HEAD + 1 + ID_BYTES
"""Where the fields after ``event_id`` begin."""
OTHER_WRITER = 100
"""Added to a schema's id: a writer that knows a field more."""
LARGE_BYTES = 900_000
BOMB_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """What is handed to the producer; ``value`` is None for a tombstone."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Mutation:
    """``make`` turns a valid record into the one to send; ``rule`` names the pool of events it is made from."""

    verdict: Verdict
    make: Callable[[Record, random.Random], Record]
    rule: str | None = None
    social_only: bool = False
    weight: float = 1.0


def _value(verdict: Verdict, change: Callable[[bytes, random.Random], bytes | None], **more: object) -> Mutation:
    return Mutation(verdict, lambda r, chance: Record(r.key, change(r.value or b"", chance)), **more)  # type: ignore[arg-type]


def _same(record: Record, _: random.Random) -> Record:
    return record


def _flipped(value: bytes, chance: random.Random) -> bytes:
    out = bytearray(value)
    for _ in range(chance.randrange(1, 4)):
        out[chance.randrange(HEAD, len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def _imitation(value: bytes, _: random.Random) -> bytes:
    """Bytes after the body that read as "no headers" and a whole further record with its own frame."""
    rest = b"\x00\x00\x02" + zigzag(1) + b"k" + zigzag(len(value)) + value
    return value + b"\x00" + zigzag(len(rest) + 1) + rest


VALID: dict[str, Mutation] = {
    "plain": Mutation("event", _same),
    "headers": Mutation(
        "event", lambda r, _: Record(r.key, r.value, (("trace", b"1"), ("trace", b""), ("đ", b"\xff")))
    ),
    "other_writer": _value("event", lambda v, _: v[:4] + bytes([v[4] + OTHER_WRITER]) + b"\x0a" + v[HEAD:]),
}
"""Unusual at most: these must be counted."""

BROKEN: dict[str, Mutation] = {
    "null_key": Mutation("dead_letter", lambda r, _: Record(None, r.value)),
    "wrong_key": Mutation("dead_letter", lambda r, c: Record(c.randbytes(c.randrange(20)), r.value)),
    "null_value": _value("dead_letter", lambda v, _: None),
    "empty_value": _value("dead_letter", lambda v, _: b""),
    "short_head": _value("dead_letter", lambda v, c: v[: c.randrange(1, HEAD)]),
    "no_body": _value("dead_letter", lambda v, _: v[:HEAD]),
    "wrong_magic": _value("dead_letter", lambda v, c: bytes([c.randrange(1, 256)]) + v[1:]),
    "unknown_schema": _value("dead_letter", lambda v, c: b"\x00\x7f" + c.randbytes(3) + v[HEAD:]),
    "other_schema": _value("dead_letter", lambda v, _: v[:4] + bytes([3 - v[4]]) + v[HEAD:]),
    "truncated": _value("dead_letter", lambda v, c: v[: c.randrange(HEAD + 1, len(v))]),
    "trailing": _value("dead_letter", lambda v, c: v + c.randbytes(c.randrange(1, 9))),
    "imitation": _value("dead_letter", _imitation),
    "huge_length": _value("dead_letter", lambda v, c: v[:HEAD] + zigzag(1 << c.randrange(20, 62)) + v[HEAD + 1 :]),
    "negative_length": _value("dead_letter", lambda v, c: v[:HEAD] + bytes([c.randrange(1, 128, 2)]) + v[HEAD + 1 :]),
    "endless_varint": _value("dead_letter", lambda v, _: v[:HEAD] + b"\xff" * 12 + v[HEAD:]),
    "not_utf8": _value("dead_letter", lambda v, _: v[: HEAD + 1] + b"\xff\xfe" + v[HEAD + 3 :]),
    "union_index": _value("dead_letter", lambda v, c: v[:-1] + bytes([c.randrange(4, 128, 2)]), social_only=True),
    "junk": _value("dead_letter", lambda v, c: b"\x01" + c.randbytes(c.randrange(200))),
    "large": _value("dead_letter", lambda v, c: b"\x01" + c.randbytes(LARGE_BYTES), weight=0.0002),
    "bomb": _value("dead_letter", lambda v, _: b"\x01" + bytes(BOMB_BYTES), weight=0.0002),
}
"""These must become dead letters."""

RULES = ("type", "count", "time", "future", "blank", "long_kol")
"""Names of the pools of events that break a rule."""

MUTATIONS: dict[str, Mutation] = {
    **VALID,
    **BROKEN,
    **{f"rule_{name}": Mutation("dead_letter", _same, rule=name) for name in RULES},
    "flipped": _value("either", _flipped),
    "junk_body": _value("either", lambda v, c: v[:HEAD] + c.randbytes(c.randrange(200))),
    # The compiled pass doubts it; polars, which reads what is doubted, takes any index but that of null for the value.
    "union_index_with_value": _value(
        "either", lambda v, c: v[:-1] + bytes([c.randrange(4, 128, 2)]) + b"\x04vn", social_only=True
    ),
}
