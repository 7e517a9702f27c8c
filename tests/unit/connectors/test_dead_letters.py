"""Dead letters as events again: read from files and writers, mended by expressions, judged once more."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from kolray.connectors.dead_letters import LETTER, chosen, fields_of, mend, summary
from kolray.errors import InvalidInputError, SchemaError
from kolray.events import SCHEMAS
from kolray.schemas.registry import FileRegistry
from kolray.schemas.wire import encode_rows

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
GOOD = {
    "event_id": "e1",
    "kol_id": "k1",
    "platform": "youtube",
    "event_type": "engagement",
    "event_time": AT,
    "likes": 5,
}
REGISTRY = FileRegistry()


def letter(value: bytes | None, number: int = 0, topic: str = "events.social.raw", reason: str = "r") -> dict[str, Any]:
    return {
        "place": f"0/{number}", "topic": topic, "partition": 3, "offset": 40 + number, "reason": reason, "key": b"k1",
        "value": value, "at": AT,
    }  # fmt: skip


def letters(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=LETTER)


def avro(**changes: Any) -> bytes:
    row = GOOD | changes
    [value] = encode_rows("events.social.raw", 1, pl.DataFrame([row], schema={n: SCHEMAS["social"][n] for n in row}))
    return value


def line(**changes: Any) -> bytes:
    row = GOOD | {"event_time": "2026-05-01T12:00:00Z"} | changes
    return json.dumps({name: value for name, value in row.items() if value is not None}).encode()


def test_seconds_for_milliseconds_are_mended_and_nothing_else_changes() -> None:
    wrong = avro(event_time=datetime.fromtimestamp(AT.timestamp() / 1000, UTC))
    held = letters(letter(wrong))
    assert mend(held, [], REGISTRY).left.rows() == [("0/0", "out of range: event_time")]
    mended = mend(held, ["event_time = event_time * 1000"], REGISTRY)
    assert mended.left.is_empty()
    [row] = mended.events["social"].to_dicts()
    assert {name: row[name] for name in GOOD} == GOOD


def test_fixes_follow_one_another_in_sql() -> None:
    held = letters(letter(avro(likes=-4, platform="YT")))
    fixes = [
        "likes = abs(likes)",
        "likes = likes + 1",
        "platform = CASE WHEN platform = 'YT' THEN 'youtube' ELSE platform END",
    ]
    [row] = mend(held, fixes, REGISTRY).events["social"].to_dicts()
    assert (row["likes"], row["platform"]) == (5, "youtube")


def test_rows_of_files_are_read_as_the_file_was() -> None:
    held = letters(
        letter(line(likes="many"), 0, "file:a.csv"),
        letter(line(likes="-7"), 1, "file:a.csv"),
        letter(b"{torn", 2, "file:a.csv"),
        letter(json.dumps({"kol_id": "k", "campaign_id": "", "event_type": "click"}).encode(), 3, "file:w.csv"),
    )
    mended = mend(held, ["likes = abs(likes)"], REGISTRY)
    assert mended.events["social"]["likes"].to_list() == [None, 7], "what a fix assigns is no reason any more"
    assert sorted(mended.left.rows()) == [("0/2", "the line is not JSON"), ("0/3", "missing: campaign_id")]
    assert ("0/0", "unreadable: likes") in mend(held, [], REGISTRY).left.rows()


def test_an_event_without_an_id_gets_the_same_one_each_time() -> None:
    held = letters(letter(avro(event_id="")))
    once, again = (mend(held, [], REGISTRY).events["social"]["event_id"].to_list() for _ in range(2))
    assert once == again == ["dlq-events.social.raw-3-40"]


def test_bytes_that_say_nothing_stay_with_their_reason() -> None:
    mended = mend(letters(letter(b"\x01junk"), letter(None, 1)), [], REGISTRY)
    assert [reason for _, reason in mended.left.iter_rows()] == [
        "not in the Confluent wire format: the first byte is not 0", "empty value",
    ]  # fmt: skip
    with pytest.raises(SchemaError, match="no JSON object"):
        fields_of(b"[1]", "file:a.jsonl", REGISTRY)


def test_letters_are_chosen_and_counted() -> None:
    held = letters(
        letter(b"", 0), letter(b"", 1, reason="negative: likes"), letter(b"", 2, "file:a.csv", "negative: views")
    )
    assert summary(held)["letters"].to_list() == [1, 1, 1]
    assert chosen(held, "events.social.raw", "negative")["place"].to_list() == ["0/1"]
    assert chosen(held, places=["0/2"])["topic"].to_list() == ["file:a.csv"]
    with pytest.raises(InvalidInputError, match="no letter at 9/9"):
        chosen(held, places=["9/9"])


@pytest.mark.parametrize(
    ("fix", "said"),
    [
        ("likes", "FIELD = EXPRESSION"),
        ("likes == 3", "FIELD = EXPRESSION"),
        ("likes = ((", "likes"),
        ("fame = 3", "fame: no field"),
        ("likes = nothing + 1", "nothing"),
    ],
)
def test_a_wrong_fix_is_refused(fix: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        mend(letters(letter(avro())), [fix], REGISTRY)
