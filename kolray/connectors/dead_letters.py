"""Dead letters: read back as the events they were, mended by expressions, and judged again."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kolray.connectors.files import typed_rows
from kolray.errors import InvalidInputError, SchemaError
from kolray.events import KIND_OF_TOPIC, KINDS, SCHEMAS, TIME, Columns, Kind, invalid_reason
from kolray.schemas.registry import Registry
from kolray.schemas.wire import decode_value, schema_id_of

LETTER: Columns = {
    "place": pl.String, "topic": pl.String, "partition": pl.Int32, "offset": pl.Int64, "reason": pl.String,
    "key": pl.Binary, "value": pl.Binary, "at": TIME,
}  # fmt: skip
"""``place``: ``PARTITION/OFFSET`` in ``events.dlq``; the rest is the letter: whence, why, what, and when."""
Row = dict[str, Any]
FIX = re.compile(r"^\s*(\w+)\s*=(?!=)\s*(.+)$", re.DOTALL)


@dataclass(frozen=True)
class Mended:
    """``events`` by kind (``place``, ``SCHEMAS[kind]``), valid now; ``left``: ``place, reason`` of the others."""

    events: dict[Kind, pl.DataFrame]
    left: pl.DataFrame


def chosen(
    letters: pl.DataFrame, topic: str | None = None, reason: str | None = None, places: Sequence[str] = ()
) -> pl.DataFrame:
    """Letters of one origin (``events.social.raw``, ``file:NAME``), whose reason holds a text, or at certain places."""
    kept = letters if topic is None else letters.filter(pl.col("topic") == topic)
    kept = kept if reason is None else kept.filter(pl.col("reason").str.contains(reason, literal=True))
    unknown = sorted(set(places) - set(letters["place"]))
    if unknown:
        raise InvalidInputError(f"events.dlq holds no letter at {', '.join(unknown)}; `kolray dlq list --each`")
    return kept if not places else kept.filter(pl.col("place").is_in(list(places)))


def summary(letters: pl.DataFrame) -> pl.DataFrame:
    """``topic, reason, letters, first, newest, example`` (a place), most frequent first."""
    told = (pl.len().alias("letters"), pl.col("at").min().alias("first"), pl.col("at").max().alias("newest"))
    groups = letters.sort("at").group_by("topic", "reason", maintain_order=True)
    return groups.agg(*told, pl.col("place").last().alias("example")).sort("letters", descending=True)


def fields_of(value: bytes | None, topic: str, registry: Registry) -> dict[str, object]:
    """What a letter's value says: the row of a file, or an Avro record read with its writer's schema.

    Raises:
        SchemaError: it can be read as neither.
    """
    if topic in KIND_OF_TOPIC:
        return decode_value(value or b"", registry.schema(schema_id_of(value or b"")))
    try:
        row = json.loads(value or b"")
    except ValueError as error:
        raise SchemaError("the line is not JSON") from error
    if not isinstance(row, dict):
        raise SchemaError("the line is no JSON object")
    return row


def mend(letters: pl.DataFrame, fixes: Sequence[str], registry: Registry) -> Mended:
    """Letters as events, with ``fixes`` applied in order, and judged by the rules of valid events.

    An event without an id gets one made of its origin, so that to replay it twice counts it once.

    Args:
        fixes: ``FIELD = EXPRESSION`` in SQL over the fields of an event, times being ms since 1970.

    Raises:
        InvalidInputError: an expression that is none, or a field that does not exist.
    """
    assignments = [_assignment(fix) for fix in fixes]
    mended = {field for field, _ in assignments}
    rows, unread = _rows(letters, registry)
    events: dict[Kind, pl.DataFrame] = {}
    left = [pl.DataFrame(unread, schema={"place": pl.String, "reason": pl.String}, orient="row")]
    for kind, found in rows.items():
        frame = typed_rows(found, kind, mended).with_columns(place=pl.Series([row["place"] for row in found]))
        judged = _fixed(frame, kind, assignments).with_columns(reason=pl.coalesce("reason", invalid_reason(kind)))
        events[kind] = judged.filter(pl.col("reason").is_null()).drop("reason")
        left.append(judged.filter(pl.col("reason").is_not_null()).select("place", "reason"))
    return Mended(events, pl.concat(left))


def _rows(letters: pl.DataFrame, registry: Registry) -> tuple[dict[Kind, list[Row]], list[tuple[str, str]]]:
    """Events by kind, and place and reason of what cannot be read."""
    found: dict[Kind, list[Row]] = {kind: [] for kind in KINDS}
    unread = []
    for letter in letters.iter_rows(named=True):  # letters are few, and each may have a writer of its own
        try:
            row = fields_of(letter["value"], letter["topic"], registry)
        except SchemaError as error:
            unread.append((letter["place"], str(error)))
            continue
        kind = KIND_OF_TOPIC.get(letter["topic"], "web" if "campaign_id" in row else "social")
        origin = f"dlq-{letter['topic']}-{letter['partition']}-{letter['offset']}"
        found[kind].append({**row, "place": letter["place"], "event_id": row.get("event_id") or origin})
    return {kind: rows for kind, rows in found.items() if rows}, unread


def _assignment(fix: str) -> tuple[str, pl.Expr]:
    found = FIX.match(fix)
    if found is None:
        raise InvalidInputError(f"{fix!r}: write FIELD = EXPRESSION, e.g. event_time = event_time * 1000")
    if not any(found[1] in SCHEMAS[kind] for kind in KINDS):
        raise InvalidInputError(f"{found[1]}: no field of an event; there are {', '.join(SCHEMAS['social'])} …")
    try:
        return found[1], pl.sql_expr(found[2])
    except pl.exceptions.PolarsError as error:
        raise InvalidInputError(f"{fix!r}: {error}") from error


def _fixed(frame: pl.DataFrame, kind: Kind, assignments: list[tuple[str, pl.Expr]]) -> pl.DataFrame:
    types = SCHEMAS[kind]
    times = [name for name, dtype in types.items() if dtype == TIME]
    plain = frame.with_columns(pl.col(*times).dt.epoch("ms"))
    for field, expression in assignments:
        if field not in types:
            continue  # it is one of the other kind
        try:
            plain = plain.with_columns(expression.alias(field))
        except pl.exceptions.PolarsError as error:
            raise InvalidInputError(f"{field} = …: {error}") from error
    return plain.select("place", "reason", *(pl.col(name).cast(dtype, strict=False) for name, dtype in types.items()))
