"""The compiled pass: what it believes, the careful ways believe too, with the same values."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.events import SCHEMAS, Kind
from kolray.schemas.memory import address_of
from kolray.schemas.registry import FileRegistry, packaged_schema
from kolray.stream.decode import BatchDecoder, Decoded
from kolray.stream.program import compile_program
from kolray.stream.records import PADDING, is_utf8
from kolray.stream.values import PLACE, REJECTED
from kolray.stream.varint import avro_long, avro_size
from tests.unit.stream.batches import T0, Record, batch, records, social_frame, web_frame

HEAD_BYTES = 5
EDGE_NUMBERS = [0, 1, -1, 63, 64, -64, -65, 1 << 40, (1 << 40) + 1, (1 << 63) - 1, -(1 << 63)]


def padded(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(data + bytes(PADDING), dtype=np.uint8)


def zigzag(number: int) -> bytes:
    value = (number << 1) ^ (number >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@given(st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from(EDGE_NUMBERS), st.binary(max_size=9))
def test_a_long_is_read_back_with_the_place_behind_it(number: int, behind: bytes) -> None:
    data = padded(zigzag(number) + behind)
    at, size = address_of(data), len(zigzag(number))
    for read in (avro_long, avro_size):
        assert read(at, at + size + len(behind)) == (number, at + size)
        assert read(at, at + size - 1)[1] == 0  # its last byte lies behind the end


@pytest.mark.parametrize("data", [b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01", b"\x80" * 12])
def test_a_long_of_more_than_64_bits_is_none(data: bytes) -> None:
    array = padded(data)
    assert avro_long(address_of(array), address_of(array) + len(data))[1] == 0


PIECES = [b"a", b"\xc3\xa9", b"\xe0\xa0\x80", b"\xed\xa0\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"]
PIECES += [b"\xf0\x9f\x98\x80", b"\xc0\x80", b"\xe2\x82", b"\xf0\x80\x80\x80"]


@given(st.binary(max_size=24) | st.text(max_size=8).map(str.encode) | st.lists(st.sampled_from(PIECES)).map(b"".join))
def test_utf8_is_what_python_takes_for_it(data: bytes) -> None:
    array = padded(data)
    try:
        data.decode()
    except UnicodeDecodeError:
        assert not is_utf8(address_of(array), address_of(array) + len(data))
    else:
        assert is_utf8(address_of(array), address_of(array) + len(data))


NUMBERS = st.none() | st.integers(-2, 5) | st.sampled_from([1 << 40, (1 << 40) + 1])
SOCIAL = st.fixed_dictionaries(
    {
        "event_id": st.text(max_size=3) | st.just("e" * 129),
        "kol_id": st.sampled_from(["k", "kol-with-a-long-name-of-more-than-16", ""]),
        "platform": st.sampled_from(["youtube", ""]),
        "event_type": st.sampled_from(["engagement", "comment", "correction", "impression", "engagements"]),
        "event_time": st.sampled_from([T0, T0 + 300_000, T0 + 300_001, 5]),
        **dict.fromkeys(("likes", "impressions", "followers", "posts"), NUMBERS),
        "verified": st.none() | st.booleans(),
        "text": st.none() | st.text(max_size=20),
    }
)
WEB = st.fixed_dictionaries(
    {
        "event_id": st.text(max_size=3),
        "campaign_id": st.sampled_from(["c", ""]),
        "event_type": st.sampled_from(["impression", "click", "conversion", "post"]),
        "value": st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1.7976931348623157e308]),
        "visitor": st.text(max_size=20),
    }
)
DAMAGE = st.none() | st.tuples(st.integers(0, 400), st.integers(1, 255)) | st.integers(0, 400)
"""Of a value: nothing; a byte changed; cut."""


def damaged(record: Record, damage: Any) -> Record:
    key, value, headers = record
    if damage is None or not value:
        return record
    if isinstance(damage, int):
        return key, value[: damage % len(value)], headers
    place = damage[0] % len(value)
    return key, value[:place] + bytes([value[place] ^ damage[1]]) + value[place + 1 :], headers


def believed(kind: Kind, one: Any) -> pl.DataFrame:
    """What the first way alone accepts."""
    decoder = BatchDecoder(FileRegistry())
    nothing = Decoded(pl.DataFrame(schema={**SCHEMAS[kind], **PLACE}), pl.DataFrame(schema=REJECTED))
    with patch.object(BatchDecoder, "_carefully", return_value=nothing):
        return decoder.decode(kind, [one]).frame


@settings(max_examples=300)
@given(st.data())
def test_what_the_first_way_believes_the_others_believe_too(data: st.DataObject) -> None:
    kind: Kind = data.draw(st.sampled_from(["social", "web"]))
    rows = data.draw(st.lists(SOCIAL if kind == "social" else WEB, min_size=1, max_size=6))
    items = records(kind, social_frame(rows) if kind == "social" else web_frame(rows))
    one = batch(kind, [damaged(item, data.draw(DAMAGE)) for item in items])
    frame = believed(kind, one)
    careful = BatchDecoder(FileRegistry())._carefully(kind, one, frame["offset"])
    assert careful.rejected.is_empty()
    assert_frame_equal(careful.frame.sort("offset"), frame)


def test_a_whole_valid_batch_needs_no_other_way() -> None:
    rows = [{"text": "đẹp quá", "likes": 1 << 40, "event_time": T0 + 300_000}, {"event_id": "e" * 128}]
    one = batch("social", records("social", social_frame(rows)))
    assert believed("social", one).height == 2


@pytest.mark.parametrize(
    "change",
    [
        {"likes": ["null", "string"]},
        {"event_time": {"type": "long", "logicalType": "timestamp-micros"}},
        {"text": ["null", "string", "long"]},
        {"text": {"type": "array", "items": "string"}},
    ],
)
def test_a_schema_the_first_way_would_read_otherwise_is_left_to_the_others(change: dict[str, Any]) -> None:
    writer = packaged_schema("events.social.raw")
    fields = [
        field | {"type": change[field["name"]]} if field["name"] in change else field for field in writer["fields"]
    ]
    assert compile_program("social", writer, ("likes",)) is not None
    assert compile_program("social", writer | {"fields": fields}, ("likes",)) is None


def test_a_schema_without_a_needed_field_is_left_to_the_others() -> None:
    writer = packaged_schema("events.web.raw")
    fields = [field for field in writer["fields"] if field["name"] != "campaign_id"]
    assert compile_program("web", writer | {"fields": fields}, ("visitor",)) is None
