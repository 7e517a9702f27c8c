"""Dead letters can always be published and read, whatever the record was."""

from __future__ import annotations

import polars as pl

from kolray.events import DLQ_TOPIC
from kolray.schemas.registry import FileRegistry
from kolray.schemas.wire import decode_value, encode_rows
from kolray.stream.outputs import MOST_BYTES, letters_of
from kolray.stream.values import REJECTED


def rejected(**columns: object) -> pl.DataFrame:
    row = {"topic": "t", "partition": 1, "offset": 7, "kafka_ms": 5, "reason": "bad", "key": b"k", "value": b"v"}
    return pl.DataFrame([row | columns], schema=REJECTED)


def test_what_is_too_large_for_the_topic_is_cut_and_the_reason_says_so() -> None:
    letter = letters_of(rejected(value=b"x" * 5_000_000, key=b"k" * 300_000)).row(0, named=True)
    assert letter["reason"] == "bad; key cut from 300000 to 262144 bytes; value cut from 5000000 to 262144 bytes"
    assert (len(letter["key"]), len(letter["value"])) == (MOST_BYTES, MOST_BYTES)
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("t", 1, 7)


def test_small_and_absent_ones_stay_as_they_are() -> None:
    assert letters_of(rejected()).select("reason", "key", "value").row(0) == ("bad", b"k", b"v")
    assert letters_of(rejected(key=None, value=None)).select("reason", "key", "value").row(0) == ("bad", None, None)


def test_a_time_no_calendar_knows_does_not_make_a_letter_unreadable() -> None:
    registry = FileRegistry()
    for at_ms, year in ((1 << 60, 1970), (-1, 1970), (1_760_000_100_000, 2025)):
        letters = letters_of(rejected(kafka_ms=at_ms))
        [value] = encode_rows(DLQ_TOPIC, registry.id_for(DLQ_TOPIC), letters)
        assert decode_value(value, registry.schema(registry.id_for(DLQ_TOPIC)))["at"].year == year
