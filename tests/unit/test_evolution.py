"""What a writer's schema may change, and what the decoder makes of it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from kolray.errors import SchemaError
from kolray.events import RAW_TOPICS, SCHEMAS, TIME, Columns, Kind
from kolray.lake.contract import reserved
from kolray.schemas.evolution import agree, extra_fields
from kolray.schemas.registry import AvroSchema, FileRegistry, HttpRegistry, packaged_schema
from kolray.stream.decode import BatchDecoder
from kolray.testing.registry import MemoryRegistry
from tests.unit.stream.batches import T0, Record, batch, records, social_frame
from tests.writers import changed, value_of

MS = {"type": "long", "logicalType": "timestamp-millis"}
NEW: list[tuple[Any, Any, Any]] = [
    ("string", "viral", pl.String),
    ("long", 12, pl.Int64),
    ("int", 7, pl.Int64),
    ("double", 0.25, pl.Float64),
    ("float", 0.5, pl.Float64),
    ("boolean", True, pl.Boolean),
    (MS, T0, TIME),
    ({"type": "int", "logicalType": "date"}, 3, pl.Date),
]
"""An Avro type, a value, and its column."""
HELD: Columns = {}


def refuse(kind: Kind, writer: AvroSchema, held: Columns = HELD) -> str:
    """The refusal's message."""
    with pytest.raises(SchemaError, match="breaks the contract") as caught:
        agree(kind, {1: packaged_schema(RAW_TOPICS[kind]), 9: writer}, held, reserved(kind))
    return str(caught.value)


@pytest.mark.parametrize(("avro", "value", "column"), NEW)
def test_a_new_optional_field_is_a_column_and_null_for_old_writers(avro: Any, value: Any, column: Any) -> None:
    writer = changed("social", add={"name": "mood", "type": ["null", avro], "default": None})
    extra = agree("social", {1: packaged_schema("events.social.raw"), 2: writer}, {}, reserved("social"))
    assert extra == {"mood": column}
    with MemoryRegistry() as server:
        registry = HttpRegistry(server.url)
        old, new = registry.id_for("events.social.raw"), server.register("events.social.raw-value", writer)
        assert registry.versions("events.social.raw").keys() == {old, new}
        frame = social_frame([{"likes": 1}, {"likes": 2}, {"likes": 3}])
        items: list[Record] = records("social", frame)
        for i, mood in ((1, value), (2, None)):
            row = frame.with_columns(pl.col(pl.Datetime).dt.epoch("ms")).row(i, named=True) | {"mood": mood}
            items[i] = (b"kol_1", value_of(new, writer, row), [])
        decoded = BatchDecoder(registry, extra={"social": extra}).decode("social", [batch("social", items)])
    assert decoded.rejected.is_empty()
    assert decoded.frame["likes"].to_list() == [1, 2, 3]
    assert decoded.frame.schema["mood"] == column
    told = decoded.frame["mood"].to_physical().to_list()
    assert told == [None, value, None]


def test_an_optional_field_may_go_and_numbers_may_be_narrower() -> None:
    writer = changed("social", drop="lang", retype={"likes": ["null", "int"]})
    assert agree("social", {2: writer}, {}, reserved("social")) == {}
    assert agree("web", {2: changed("web", retype={"value": ["null", "long"]})}, {}, reserved("web")) == {}


@pytest.mark.parametrize(("kind", "field"), [("social", "platform"), ("web", "visitor"), ("web", "event_time")])
def test_a_needed_field_may_not_go(kind: Kind, field: str) -> None:
    message = refuse(kind, changed(kind, drop=field))
    assert message.startswith(f"schema 9 of events.{kind}.raw-value breaks the contract: {field} is missing.")
    assert "Delete this version from the registry" in message


@pytest.mark.parametrize(
    ("field", "avro", "said"),
    [
        ("likes", ["null", "string"], "likes is text, not integer"),
        ("event_time", "string", "event_time is text, not time"),
        ("text", ["null", "long"], "text is integer, not text"),
        ("likes", ["null", {"type": "array", "items": "long"}], "likes is not a flat type, not integer"),
    ],
)
def test_a_type_may_not_change(field: str, avro: Any, said: str) -> None:
    assert said in refuse("social", changed("social", retype={field: avro}))


def test_a_further_field_keeps_its_type_too() -> None:
    writer = changed("social", add={"name": "mood", "type": ["null", "string"], "default": None})
    assert "mood is text, not integer" in refuse("social", writer, held={"mood": pl.Int64})
    number = changed("social", add={"name": "mood", "type": ["null", "long"], "default": None})
    with pytest.raises(SchemaError, match=r"schema 8 .* mood is text, not integer"):
        agree("social", {7: number, 8: writer}, {}, reserved("social"))


@pytest.mark.parametrize("name", ["offset", "sentiment", "spam", "dt", "Likes"])
def test_a_name_of_the_lakes_own_is_refused(name: str) -> None:
    writer = changed("social", add={"name": name, "type": ["null", "string"], "default": None})
    assert f"{name} is the name of a column of the lake's own" in refuse("social", writer)


def test_fields_that_are_not_flat_stay_in_kafka() -> None:
    tags = {"name": "tags", "type": ["null", {"type": "array", "items": "string"}], "default": None}
    assert extra_fields("social", changed("social", add=tags)) == {}


def test_records_of_a_changed_type_are_dead_letters_and_cost_no_other() -> None:
    writer = changed("social", retype={"likes": ["null", "string"]})
    with MemoryRegistry() as server:
        registry = HttpRegistry(server.url)
        registry.id_for("events.social.raw")
        new = server.register("elsewhere-value", writer)
        good = records("social", social_frame([{"likes": 1}, {"likes": 2}]))
        row: dict[str, Any] = dict.fromkeys(SCHEMAS["social"])
        row |= {
            "event_id": "x",
            "kol_id": "kol_1",
            "platform": "p",
            "event_type": "post",
            "event_time": T0,
            "likes": "many",
        }
        items = [good[0], (b"kol_1", value_of(new, writer, row), []), good[1]]
        decoded = BatchDecoder(registry).decode("social", [batch("social", items)])
    assert decoded.frame["offset"].to_list() == [0, 2]
    assert decoded.rejected["reason"].to_list() == [f"schema id {new}: likes is text, not integer"]


def test_the_packaged_schemas_are_the_contract() -> None:
    for kind, topic in RAW_TOPICS.items():
        assert agree(kind, FileRegistry().versions(topic), {}, reserved(kind)) == {}
    with MemoryRegistry() as server:
        assert HttpRegistry(server.url).versions("events.social.raw") == {}
