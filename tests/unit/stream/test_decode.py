"""One bad record never costs its batch: every record ends once, as event or as reject."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.events import SOCIAL_SCHEMA
from kolray.schemas.registry import FileRegistry
from kolray.stream.decode import BatchDecoder
from tests.unit.stream.batches import T0, batch, records, social_frame, web_frame

HEAD = b"\x00\x00\x00\x00\x01"


@pytest.fixture
def decoder() -> BatchDecoder:
    return BatchDecoder(FileRegistry())


def test_events_come_back_as_they_were_written(decoder: BatchDecoder) -> None:
    frame = social_frame(
        [{"likes": 3, "text": "đẹp quá"}, {"followers": 10, "event_type": "profile", "verified": True}]
    )
    decoded = decoder.decode("social", [batch("social", records("social", frame), base=7)])
    assert_frame_equal(decoded.frame.select(*SOCIAL_SCHEMA), frame)
    assert decoded.frame["offset"].to_list() == [7, 8]
    assert decoded.frame["kafka_ms"].to_list() == [T0, T0]
    assert decoded.rejected.is_empty()


def test_web_events_come_back_as_they_were_written(decoder: BatchDecoder) -> None:
    frame = web_frame([{"value": 1.5, "currency": "EUR", "event_type": "conversion"}, {"consent": False}])
    decoded = decoder.decode("web", [batch("web", records("web", frame))])
    assert_frame_equal(decoded.frame.select(frame.columns), frame)


def test_records_before_the_wanted_offset_are_cut(decoder: BatchDecoder) -> None:
    items = records("social", social_frame([{}, {}, {}]))
    decoded = decoder.decode("social", [batch("social", items, base=10, start=12)])
    assert decoded.frame["offset"].to_list() == [12]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"junk", "not in the Confluent wire format"),
        (b"", "empty value"),
        (None, "empty value"),
        (b"\x00\x00\x00\x00\x09abc", "schema id 9"),
        (HEAD, "body does not follow its schema"),
        (HEAD + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "body does not follow its schema"),
    ],
)
def test_an_undecodable_value_is_rejected_with_its_bytes(
    decoder: BatchDecoder, value: bytes | None, reason: str
) -> None:
    good = records("social", social_frame([{"likes": 1}, {"likes": 2}]))
    decoded = decoder.decode("social", [batch("social", [good[0], (b"kol_1", value, []), good[1]])])
    assert decoded.frame["likes"].to_list() == [1, 2]
    assert decoded.rejected["offset"].to_list() == [1]
    assert decoded.rejected["value"].to_list() == [value]
    assert reason in decoded.rejected["reason"][0]


def test_bytes_after_a_body_are_rejected(decoder: BatchDecoder) -> None:
    key, value, _ = records("social", social_frame([{}]))[0]
    decoded = decoder.decode("social", [batch("social", [(key, (value or b"") + b"abc", [])])])
    assert decoded.rejected["reason"].to_list() == ["3 bytes after the body"]


def test_headers_do_not_cost_an_event(decoder: BatchDecoder) -> None:
    key, value, _ = records("social", social_frame([{"likes": 5}]))[0]
    decoded = decoder.decode("social", [batch("social", [(key, value, [("trace", b"1")])])])
    assert decoded.frame["likes"].to_list() == [5]


def test_a_null_key_is_rejected_as_not_the_kol(decoder: BatchDecoder) -> None:
    _, value, _ = records("social", social_frame([{}]))[0]
    decoded = decoder.decode("social", [batch("social", [(None, value, [])])])
    assert decoded.rejected["reason"].to_list() == ["key is not kol_id"]


def test_a_far_future_event_is_judged_by_its_kafka_timestamp(decoder: BatchDecoder) -> None:
    items = records("social", social_frame([{"event_time": T0 + 300_001}, {"event_time": T0 + 300_000}]))
    decoded = decoder.decode("social", [batch("social", items, at_ms=T0)])
    assert decoded.rejected["reason"].to_list() == ["far future: event_time"]
    assert decoded.frame["offset"].to_list() == [1]


def test_a_rule_breaking_event_keeps_its_bytes(decoder: BatchDecoder) -> None:
    items = records("social", social_frame([{"likes": -1}, {"likes": 1}]))
    decoded = decoder.decode("social", [batch("social", items)])
    assert decoded.rejected.select("reason", "value").row(0) == ("negative: likes", items[0][1])


def test_a_batch_that_fails_its_checksum_is_rejected_offset_by_offset(decoder: BatchDecoder) -> None:
    good = batch("social", records("social", social_frame([{}, {}])), base=4)
    broken = dataclasses.replace(good, body=b"", problem="record batch fails its CRC-32C")
    decoded = decoder.decode("social", [broken])
    assert decoded.frame.is_empty()
    assert decoded.rejected["offset"].to_list() == [4, 5]


def test_a_poisoned_batch_leaves_its_neighbours_alone(decoder: BatchDecoder) -> None:
    first = batch("social", records("social", social_frame([{"likes": 1}])), base=0)
    second = batch("social", [(b"kol_1", b"junk", []), *records("social", social_frame([{"likes": 2}]))], base=1)
    third = batch("social", records("social", social_frame([{"likes": 3}])), base=3)
    decoded = decoder.decode("social", [first, second, third])
    assert sorted(decoded.frame["likes"].to_list()) == [1, 2, 3]
    assert decoded.rejected["offset"].to_list() == [1]


def test_a_misdirected_schema_does_not_cost_its_own_topic(decoder: BatchDecoder) -> None:
    astray = batch("social", records("web", web_frame([{}])))
    assert decoder.decode("social", [astray]).rejected.height == 1
    frame = web_frame([{}, {}])
    assert_frame_equal(decoder.decode("web", [batch("web", records("web", frame))]).frame.select(frame.columns), frame)


@pytest.mark.parametrize("tail", [b"\x00", b"\x00\x0c\x00\x00\x02\x02k\x00\x00"])
def test_bytes_after_the_last_body_that_look_like_a_frame_are_rejected(decoder: BatchDecoder, tail: bytes) -> None:
    items = records("social", social_frame([{"likes": 1}, {"likes": 2}]))
    key, value, _ = items[1]
    decoded = decoder.decode("social", [batch("social", [items[0], (key, (value or b"") + tail, [])])])
    assert decoded.frame["offset"].to_list() == [0]
    assert decoded.rejected["reason"].to_list() == [f"{len(tail)} bytes after the body"]


@given(
    st.lists(
        st.one_of(
            st.integers(0, 1000),
            st.binary(max_size=40),
            st.binary(max_size=60).map(lambda tail: HEAD + tail),
            st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=3)),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_record_ends_exactly_once(items: list[int | bytes | tuple[int, bytes]]) -> None:
    """Valid events, arbitrary bytes, arbitrary bodies, and valid bodies overwritten at a place."""
    template = records("social", social_frame([{"likes": 7, "text": "hello", "followers": 5}]))[0][1] or b""
    values: list[bytes] = []
    for item in items:
        if isinstance(item, int):
            values.append(records("social", social_frame([{"likes": item}]))[0][1] or b"")
        elif isinstance(item, bytes):
            values.append(item)
        else:
            at, patch = item
            at = min(at, len(template))
            values.append(template[:at] + patch + template[at + len(patch) :])
    decoded = BatchDecoder(FileRegistry()).decode("social", [batch("social", [(b"kol_1", v, []) for v in values])])
    offsets = pl.concat([decoded.frame["offset"], decoded.rejected["offset"]]).sort().to_list()
    assert offsets == list(range(len(values)))
    untouched = {i for i, item in enumerate(items) if isinstance(item, int)}
    assert untouched <= set(decoded.frame["offset"].to_list())
