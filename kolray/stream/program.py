"""From a writer's schema to the program that ``records.scan`` runs: one row of numbers a field."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kolray.events import COUNTS, EARLIEST_MS, IDS, MAX_COUNT, MAX_ID_BYTES, NEEDED_TEXTS, SCHEMAS, SIZES, TYPES, Kind
from kolray.schemas.registry import AvroSchema
from kolray.stream.records import (
    BOOLEAN,
    CHOICE,
    DOUBLE,
    EVENT_TIME,
    FIXED,
    FLOAT,
    KEY,
    LONG,
    PLAIN,
    TEXT,
    Bytes,
    Ints,
)

_OP_OF = {pl.String: TEXT, pl.Int64: LONG, pl.Datetime: LONG, pl.Boolean: BOOLEAN, pl.Float64: DOUBLE}
"""What a field must be to fill a column of an event."""
_OPS = {"long": LONG, "int": LONG, "string": TEXT, "boolean": BOOLEAN, "double": DOUBLE, "float": FLOAT, "fixed": FIXED}
_ANY = (-(1 << 63), (1 << 63) - 1)
_LONGEST_TEXT = (1 << 31) - 1
_ANY_DOUBLE = -1
"""Lower bound of a number of eight bytes that has no rule; 0 stands for a finite one that is not negative."""


@dataclass(frozen=True)
class Program:
    """What ``scan`` needs to know of a schema. ``numbers`` and ``texts`` name the output columns, in their order."""

    fields: Ints
    choices: Bytes
    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    doubles: frozenset[str]
    """Those of ``numbers`` that hold the bits of a float of eight bytes."""


def compile_program(kind: Kind, writer: AvroSchema, columns: Collection[str]) -> Program | None:
    """The program of a writer's schema.

    Args:
        columns: fields to read into columns; of the others only the form and the rules are checked.

    Returns:
        None where the schema needs more than flat fields of these types, or lacks a field that an event must have.
    """
    flat = [_flat(field) for field in writer["fields"]]
    names = {field["name"] for field in writer["fields"]}
    if any(op is None for op, *_ in flat) or not names >= {*NEEDED_TEXTS[kind], "event_type", "event_time"}:
        return None
    known = ((f["name"], op) for f, (op, *_) in zip(writer["fields"], flat, strict=True) if f["name"] in SCHEMAS[kind])
    if any(op != _OP_OF[SCHEMAS[kind][name].base_type()] for name, op in known):
        return None
    wanted = [field["name"] in columns for field in writer["fields"]]
    if any(want and op in (FLOAT, FIXED) for (op, *_), want in zip(flat, wanted, strict=True)):
        return None  # walked over, but not into a column
    numbers: list[str] = []
    texts: list[str] = []
    rows = []
    for field, (op, null_at, width), want in zip(writer["fields"], flat, wanted, strict=True):
        target = texts if op == TEXT else numbers
        out = len(target) if want else -1
        if want:
            target.append(field["name"])
        rows.append((op, null_at, out, *_rule(kind, field["name"], op, width)))
    choices = [len(name).to_bytes(8, "little") + name.encode().ljust(CHOICE - 8, b"\0") for name in TYPES[kind]]
    doubles = frozenset(f["name"] for f, (op, *_) in zip(writer["fields"], flat, strict=True) if op == DOUBLE)
    return Program(
        fields=np.array(rows, dtype=np.int64),
        choices=np.frombuffer(b"".join(choices), dtype=np.uint8).reshape(len(choices), CHOICE),
        numbers=tuple(numbers),
        texts=tuple(texts),
        doubles=doubles,
    )


def _flat(field: dict[str, Any]) -> tuple[int | None, int, int]:
    """Type, null's branch (-1: no union) and bytes of a fixed; the type is None where it is no flat field."""
    kind, null_at = field["type"], -1
    if isinstance(kind, list):
        if len(kind) != 2 or "null" not in kind:
            return None, -1, 0
        null_at = kind.index("null")
        kind = kind[1 - null_at]
    if isinstance(kind, dict) and kind.get("logicalType") not in {None, "timestamp-millis", "uuid"}:
        return None, -1, 0  # another unit of time, or digits of a decimal
    width = int(kind.get("size", 0)) if isinstance(kind, dict) else 0
    name = kind["type"] if isinstance(kind, dict) else kind
    return (_OPS.get(name) if isinstance(name, str) else None), null_at, width


def _rule(kind: Kind, name: str, op: int | None, width: int) -> tuple[int, int, int, int, int]:
    """Lower and upper bound, allowed texts, role, and whether null breaks a rule: ``events.invalid_reason`` as numbers.

    A negative count is left to the careful ways, which know that a correction may have one.
    """
    if op == TEXT:
        needed = name in NEEDED_TEXTS[kind] or name == "event_type"
        longest = MAX_ID_BYTES if name in IDS else _LONGEST_TEXT
        return int(needed), longest, int(name == "event_type"), KEY if name == "kol_id" else PLAIN, int(needed)
    if op == FIXED:
        return 0, width, 0, PLAIN, 0
    if op == DOUBLE:
        return 0 if kind == "web" and name == "value" else _ANY_DOUBLE, 0, 0, PLAIN, 0
    if name == "event_time":
        return EARLIEST_MS, _ANY[1], 0, EVENT_TIME, 1
    counted = kind == "social" and name in (*COUNTS, *SIZES)
    return *((0, MAX_COUNT) if counted else _ANY), 0, PLAIN, 0
