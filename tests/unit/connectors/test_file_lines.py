"""Lines of files that are torn, hostile or none: what they cost, and what not."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from kolray.connectors.files import read_files
from kolray.errors import InvalidInputError
from tests.unit.connectors.feeds import ROWS, dead, jsonl, read, write


def test_torn_lines_and_lines_that_are_no_objects(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    good = [json.dumps(row) for row in ROWS]
    lines = [good[0], '{"event_id": "e9", "kol', good[1], "[1, 2]", "", good[2], "7", good[3]]
    file.write_text("\n".join(lines) + "\n")
    events = read(file)
    assert events.frame["event_id"].to_list() == ["e1", "e2", "e3", "e4"]
    assert dead(events) == [(2, "not JSON"), (4, "not a JSON object"), (7, "not a JSON object")]
    assert events.dead["value"].to_list() == [lines[1].encode(), b"[1, 2]", b"7"]


def test_a_number_as_text_beside_a_torn_line(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    lines = [json.dumps(ROWS[0] | {"likes": n}) for n in (1, "2", "many", 4)]
    file.write_text("\n".join([*lines, "{"]) + "\n")
    events = read(file)
    assert events.frame["likes"].to_list() == [1, 2, 4]
    assert dead(events) == [(3, "unreadable: likes"), (5, "not JSON")]


def test_a_line_separator_in_a_text_ends_no_line(tmp_path: Path) -> None:
    file = jsonl(tmp_path, {"text": "one\u2028two\x85three"})
    file.write_text(file.read_text() + "{\n")
    events = read(file)
    assert events.frame["text"].to_list() == ["one\u2028two\x85three"]
    assert dead(events) == [(2, "not JSON")]


def test_only_torn_lines(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    file.write_text("{\nno\n")
    events = read(file)
    assert events.frame.is_empty()
    assert dead(events) == [(1, "not JSON"), (2, "not JSON")]


def test_blank_lines_are_no_rows_but_count_as_lines(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    good = [json.dumps(row) for row in ROWS]
    file.write_text("\n".join(["", good[0], "", "   ", json.dumps(ROWS[1] | {"likes": -1}), "", good[2], "", ""]))
    events = read(file)
    assert events.frame["event_id"].to_list() == ["e1", "e3"]
    assert dead(events) == [(5, "negative: likes")]


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "feed.jsonl"
    good = [json.dumps(row).encode() for row in ROWS]
    file.write_bytes(b"\n".join([good[0], b'{"event_id": "\xff\xfe"}', good[1]]))
    events = read(file)
    assert events.frame["event_id"].to_list() == ["e1", "e2"]
    assert events.dead["offset"].to_list() == [2]
    table = tmp_path / "feed.csv"
    table.write_bytes(b"kol_id,text\nk1,caf\xe9\n")
    with pytest.raises(InvalidInputError, match=r"feed\.csv: not readable as csv"):
        read(table)


def test_one_json_array_is_read_as_lines_are(tmp_path: Path) -> None:
    array = tmp_path / "feed.json"
    array.write_text("\n " + json.dumps([*ROWS, {**ROWS[0], "likes": -1}], indent=1))
    events = read(array)
    assert events.frame.equals(read(write(tmp_path, ".jsonl", ROWS)).frame)
    assert dead(events) == [(5, "negative: likes")]


def test_a_torn_array_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "feed.json"
    file.write_text('[{"event_id": "e1"')
    with pytest.raises(InvalidInputError, match="not readable as json"):
        read(file)


def test_hostile_lines_cost_no_other(tmp_path: Path) -> None:
    good = ROWS[0]
    lines = [
        json.dumps(good | {"event_id": "e1"}),
        json.dumps(good | {"event_id": "e2", "likes": {"a": [1]}}),
        json.dumps(good | {"event_id": "e3", "likes": [None]}),
        json.dumps(good | {"event_id": "e4", "text": "\ud800"}),
        "[" * 5_000,
        json.dumps(good | {"event_id": "e6", "event_time": 1 << 62}),
        '{"likes": ' + "9" * 5_000 + "}",
        json.dumps(good | {"event_id": "e8"}),
    ]
    file = tmp_path / "hostile.jsonl"
    file.write_text("\n".join(lines))
    read = read_files([file], "social", {}, {})
    assert read.frame["event_id"].to_list() == ["e1", "e8"]
    assert dict(read.dead.select("offset", "reason").iter_rows()) == {
        2: "unreadable: likes",
        3: "unreadable: likes",
        4: "not Unicode: half of a surrogate pair",
        5: "not JSON",
        6: "unreadable: event_time",
        7: "not JSON",
    }


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_column_of_lists_is_unreadable_row_by_row(suffix: str, tmp_path: Path) -> None:
    rows = pl.DataFrame([ROWS[0]]).with_columns(likes=pl.Series([[1, 2]]))
    file = tmp_path / f"lists{suffix}"
    rows.write_ndjson(file) if suffix == ".jsonl" else rows.write_parquet(file)
    assert read_files([file], "social", {}, {}).dead["reason"].to_list() == ["unreadable: likes"]
