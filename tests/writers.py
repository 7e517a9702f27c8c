"""Writers whose schemas differ from the packaged ones."""

from __future__ import annotations

import io
from typing import Any

import fastavro

from kolray.events import RAW_TOPICS, Kind
from kolray.schemas.registry import AvroSchema, packaged_schema
from kolray.schemas.wire import header


def changed(
    kind: Kind, add: dict[str, Any] | None = None, drop: str | None = None, retype: dict[str, Any] | None = None
) -> AvroSchema:
    """The packaged schema with a field more, a field less, or a field of another type."""
    schema = packaged_schema(RAW_TOPICS[kind])
    fields = [field for field in schema["fields"] if field["name"] != drop]
    fields = [field | {"type": (retype or {}).get(field["name"], field["type"])} for field in fields]
    return schema | {"fields": fields + ([add] if add else [])}


def value_of(schema_id: int, schema: AvroSchema, row: dict[str, Any]) -> bytes:
    """A Kafka value as this writer sends it; times as milliseconds."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), row)
    return header(schema_id) + body.getvalue()
