"""The packaged Avro schemas, the registry of files, and values in the wire format."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

import fastavro
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolray.clock import from_ms
from kolray.errors import SchemaError
from kolray.events import RAW_TOPICS, SCHEMAS, TIME, TOPICS, Kind
from kolray.schemas.registry import VERSIONS, FileRegistry, open_registry, packaged_schema
from kolray.schemas.wire import HEADER_BYTES, decode_value, encode_rows, header, schema_id_of

KINDS: tuple[Kind, ...] = ("social", "web")
REQUIRED: dict[Kind, set[str]] = {
    "social": {"event_id", "kol_id", "platform", "event_type", "event_time"},
    "web": {"event_id", "kol_id", "campaign_id", "event_type", "event_time", "visitor", "consent", "url"},
}
AVRO_TYPES: dict[object, object] = {
    pl.String: "string",
    pl.Int64: "long",
    pl.Float64: "double",
    pl.Boolean: "boolean",
    TIME: {"type": "long", "logicalType": "timestamp-millis"},
}
VALUES: dict[object, st.SearchStrategy[Any]] = {
    pl.String: st.text(max_size=30),
    pl.Int64: st.integers(-(1 << 63), (1 << 63) - 1),
    pl.Float64: st.floats(allow_nan=False),
    pl.Boolean: st.booleans(),
    TIME: st.integers(0, 7_258_118_400_000).map(from_ms),
}


def rows(kind: Kind) -> st.SearchStrategy[dict[str, Any]]:
    """Rows of a kind's columns: any value of the type, and null where the schema allows it."""
    return st.fixed_dictionaries(
        {
            name: VALUES[dtype] if name in REQUIRED[kind] else st.none() | VALUES[dtype]
            for name, dtype in SCHEMAS[kind].items()
        }
    )


def encoded(kind: Kind, row: dict[str, Any]) -> bytes:
    topic = RAW_TOPICS[kind]
    [value] = encode_rows(topic, VERSIONS[topic][-1].id, pl.DataFrame([row], schema=SCHEMAS[kind]))
    return value


@pytest.mark.parametrize("kind", KINDS)
def test_avro_fields_are_the_columns_of_the_event(kind: Kind) -> None:
    fields = packaged_schema(RAW_TOPICS[kind])["fields"]
    assert [field["name"] for field in fields] == list(SCHEMAS[kind])
    for field in fields:
        wanted = AVRO_TYPES[SCHEMAS[kind][field["name"]]]
        if field["name"] in REQUIRED[kind]:
            assert field["type"] == wanted
            assert "default" not in field
        else:
            assert field["type"] == ["null", wanted]
            assert field["default"] is None


def test_every_topic_has_a_schema_of_its_own_id() -> None:
    registry = FileRegistry()
    assert set(VERSIONS) == set(TOPICS)
    ids = [version.id for versions in VERSIONS.values() for version in versions]
    assert len(set(ids)) == len(ids)
    for topic in TOPICS:
        schema = registry.schema(registry.id_for(topic))
        assert schema == fastavro.parse_schema(packaged_schema(topic))
    assert isinstance(open_registry(None), FileRegistry)


def test_an_unknown_id_is_refused_with_advice() -> None:
    with pytest.raises(SchemaError, match=r"77.*KOLRAY_REGISTRY__URL"):
        FileRegistry().schema(77)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_row_survives_the_wire(kind: Kind, data: st.DataObject) -> None:
    row = data.draw(rows(kind))
    value = encoded(kind, row)
    assert schema_id_of(value) == VERSIONS[RAW_TOPICS[kind]][-1].id
    assert decode_value(value, packaged_schema(RAW_TOPICS[kind])) == row


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_torn_or_lengthened_value_is_refused(kind: Kind, data: st.DataObject) -> None:
    value = encoded(kind, data.draw(rows(kind)))
    schema = packaged_schema(RAW_TOPICS[kind])
    torn = value[: data.draw(st.integers(HEADER_BYTES, len(value) - 1))]
    with pytest.raises(SchemaError, match="body does not follow its schema"):
        decode_value(torn, schema)
    extra = data.draw(st.binary(min_size=1, max_size=20))
    with pytest.raises(SchemaError, match=f"^{len(extra)} bytes after the body"):
        decode_value(value + extra, schema)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty value"),
        (b"\x00\x00\x00\x00", "not in the Confluent wire format"),
        (b"\x01\x00\x00\x00\x01rest", "not in the Confluent wire format"),
        (b'{"event_id": "e1"}', "not in the Confluent wire format"),
    ],
)
def test_a_value_without_the_header_is_refused(value: bytes, reason: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(reason)):
        schema_id_of(value)


@given(st.integers(0, (1 << 32) - 1))
def test_the_header_carries_the_id(schema_id: int) -> None:
    assert len(header(schema_id)) == HEADER_BYTES
    assert schema_id_of(header(schema_id)) == schema_id


def test_optional_columns_may_be_absent_and_required_ones_not() -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    short = {"event_id": "e", "kol_id": "k", "platform": "youtube", "event_type": "engagement", "event_time": at}
    frame = pl.DataFrame([short], schema={name: SCHEMAS["social"][name] for name in short})
    [value] = encode_rows("events.social.raw", 1, frame)
    row = decode_value(value, packaged_schema("events.social.raw"))
    assert row == dict.fromkeys(SCHEMAS["social"]) | short
    with pytest.raises((KeyError, ValueError, TypeError)):
        encode_rows("events.social.raw", 1, frame.drop("kol_id"))


def test_infinite_and_undefined_money_reaches_the_rules_that_refuse_it() -> None:
    row = dict.fromkeys(SCHEMAS["web"]) | dict.fromkeys(REQUIRED["web"], "x")
    row |= {"event_time": from_ms(0), "consent": True, "value": math.nan}
    assert math.isnan(decode_value(encoded("web", row), packaged_schema("events.web.raw"))["value"])
