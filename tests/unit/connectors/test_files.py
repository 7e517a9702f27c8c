"""Events from files: the same events from every format, and no row lost without a reason."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolray.connectors.files import load_table, read_files
from kolray.errors import InvalidInputError
from kolray.events import SCHEMAS, invalid_reason
from tests.unit.connectors.feeds import AT, ROWS, dead, jsonl, read, write


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".ndjson", ".parquet"])
def test_every_format_gives_the_same_events(tmp_path: Path, suffix: str) -> None:
    events = read(write(tmp_path, suffix, ROWS))
    assert events.frame.schema == pl.Schema(SCHEMAS["social"])
    assert events.dead.is_empty()
    want = [row | {"event_time": datetime.fromisoformat(row["event_time"])} for row in ROWS]
    assert events.frame.select(*ROWS[0]).to_dicts() == want


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_columns_that_are_missing_or_empty_are_null(tmp_path: Path, suffix: str) -> None:
    rows = [row | {"followers": None} for row in ROWS]
    events = read(write(tmp_path, suffix, rows))
    absent = set(SCHEMAS["social"]) - set(ROWS[0])
    assert events.frame.height == 4
    assert all(events.frame[name].is_null().all() for name in absent)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_columns_of_other_names_and_constants(tmp_path: Path, suffix: str) -> None:
    rows = [{"who": "k1", "when": row["event_time"], "hearts": row["likes"]} for row in ROWS]
    events = read(
        write(tmp_path, suffix, rows),
        mapping={"kol_id": "who", "event_time": "when", "likes": "hearts"},
        constants={"platform": "weibo", "event_type": "engagement", "post_id": "{stem}-1"},
    )
    assert events.dead.is_empty()
    assert events.frame["likes"].to_list() == [10, 20, 30, 40]
    assert events.frame["platform"].unique().to_list() == ["weibo"]
    assert events.frame["post_id"].unique().to_list() == ["feed-1"]


def test_web_events(tmp_path: Path) -> None:
    row = {"kol_id": "k", "campaign_id": "c", "event_type": "conversion", "event_time": "2026-01-05T00:00:00Z"}
    events = read(write(tmp_path, ".jsonl", [row | {"value": 9.5, "consent": True}]), kind="web")
    assert events.frame.schema == pl.Schema(SCHEMAS["web"])
    assert events.frame["value"].to_list() == [9.5]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T10:30:00Z",
        "2026-01-05T10:30:00",
        "2026-01-05 10:30:00",
        "2026-01-05T17:30:00+07:00",
        "2026-01-05 05:30:00-05:00",
        "2026-01-05T10:30:00.000Z",
        " 2026-01-05T10:30:00Z ",
        "1767609000000",
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_notations_of_a_time(tmp_path: Path, suffix: str, text: str) -> None:
    events = read(write(tmp_path, suffix, [ROWS[0] | {"event_time": text}]))
    assert events.frame["event_time"].to_list() == [AT]


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Ho_Chi_Minh"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_parquet_have_a_type(tmp_path: Path, unit: Any, zone: str | None) -> None:
    at = pl.Series([AT]).dt.cast_time_unit(unit)
    at = at.dt.replace_time_zone(None) if zone is None else at.dt.convert_time_zone(zone)
    file = tmp_path / "typed.parquet"
    pl.DataFrame([ROWS[0]]).with_columns(event_time=at).write_parquet(file)
    assert read(file).frame["event_time"].to_list() == [AT]


def test_an_epoch_time_of_json_is_a_number(tmp_path: Path) -> None:
    assert read(jsonl(tmp_path, {"event_time": 1767609000000})).frame["event_time"].to_list() == [AT]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("likes", "many", "unreadable: likes"),
        ("likes", "1.5", "unreadable: likes"),
        ("likes", "1e30", "unreadable: likes"),
        ("likes", "-1", "negative: likes"),
        ("likes", "1099511627777", "out of range: likes"),
        ("verified", "perhaps", "unreadable: verified"),
        ("event_time", "yesterday", "unreadable: event_time"),
        ("event_time", "2026-02-30T00:00:00Z", "unreadable: event_time"),
        ("event_time", "1767609000", "out of range: event_time"),
        ("event_time", "", "out of range: event_time"),
        ("event_type", "shout", "unknown: event_type"),
        ("event_type", "", "unknown: event_type"),
        ("kol_id", "", "missing: kol_id"),
        ("kol_id", "k" * 129, "too long: kol_id"),
        ("platform", "", "missing: platform"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_bad_value_costs_its_row_only(tmp_path: Path, suffix: str, field: str, value: str, reason: str) -> None:
    rows = [{name: str(content) for name, content in row.items()} for row in ROWS]
    rows[2][field] = value
    events = read(write(tmp_path, suffix, rows))
    assert dead(events) == [(3, reason)]
    assert events.frame["event_id"].to_list() == ["e1", "e2", "e4"]
    letter = events.dead.row(0, named=True)
    assert letter["topic"] == f"file:feed{suffix}"
    assert (json.loads(letter["value"])[field] or "") == value


@pytest.mark.parametrize(("suffix", "text"), [(".jsonl", ""), (".jsonl", "\n \n"), (".csv", "kol_id,likes\n")])
def test_a_file_without_rows_has_no_events(tmp_path: Path, suffix: str, text: str) -> None:
    file = tmp_path / f"feed{suffix}"
    file.write_text(text)
    events = read(file)
    assert (events.frame.height, events.dead.height) == (0, 0)
    assert events.frame.schema == pl.Schema(SCHEMAS["social"])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no such file"):
        read(tmp_path / "absent.csv")
    broken = tmp_path / "feed.parquet"
    broken.write_bytes(b"not parquet")
    with pytest.raises(InvalidInputError, match=r"feed\.parquet: not readable as parquet"):
        read(broken)
    headless = tmp_path / "feed.csv"
    headless.touch()
    with pytest.raises(InvalidInputError, match=r"feed\.csv: not readable as csv \(empty CSV\)"):
        read(headless)
    other = tmp_path / "feed.xml"
    other.write_text("<a/>")
    with pytest.raises(InvalidInputError, match=r"write JSON Lines \(\.jsonl\), CSV \(\.csv\) or Parquet"):
        read(other)


def test_a_wrong_column_and_an_unknown_field(tmp_path: Path) -> None:
    file = write(tmp_path, ".csv", ROWS)
    with pytest.raises(InvalidInputError, match="no column hearts; the file has event_id, kol_id"):
        read(file, mapping={"likes": "hearts"})
    with pytest.raises(InvalidInputError, match="hearts: no field of a social event; there are event_id"):
        read(file, mapping={"hearts": "likes"})
    with pytest.raises(InvalidInputError, match="campaign_id: no field of a social event"):
        read(file, constants={"campaign_id": "c"})


def test_a_reference_table_with_a_torn_line(tmp_path: Path) -> None:
    file = tmp_path / "kols.jsonl"
    file.write_text('{"kol_id": "k1"}\n{"kol_\n')
    with pytest.raises(InvalidInputError, match="line 2 is not JSON"):
        load_table(file)


def test_files_are_merged_by_event_time(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    late, early = write(tmp_path, ".csv", ROWS[2:]), write(tmp_path / "b", ".jsonl", ROWS[:2])
    events = read_files([late, early], "social", {}, {})
    assert events.frame["event_id"].to_list() == ["e1", "e2", "e3", "e4"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_ids_made_of_the_content_are_stable_and_one_a_line(tmp_path: Path, suffix: str) -> None:
    same = {name: value for name, value in ROWS[0].items() if name != "event_id"}
    file = write(tmp_path, suffix, [same] * 300)
    first, again = read(file).frame["event_id"], read(file).frame["event_id"]
    assert first.n_unique() == 300
    assert first.to_list() == again.to_list()


_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
_row = st.fixed_dictionaries(
    {
        "kol_id": st.sampled_from(["k1", "k2", ""]),
        "platform": st.sampled_from(["tiktok", ""]),
        "event_type": st.sampled_from(["engagement", "comment", "correction", "shout"]),
        "event_time": st.one_of(st.sampled_from(["2026-01-05T10:30:00Z", "1767609000000", "soon", "17"]), _text),
        "likes": st.one_of(st.integers(-3, 1 << 41).map(str), st.sampled_from(["", "x", "2.0", "2.5"])),
        "text": _text,
    }
)


@given(st.lists(_row, min_size=1, max_size=12))
def test_every_row_is_sent_or_dead(rows: list[dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = [read(write(Path(folder), suffix, rows)) for suffix in (".csv", ".jsonl", ".parquet")]
    for events in found:
        assert events.frame.height + events.dead.height == len(rows)
        assert events.frame.filter(invalid_reason("social").is_not_null()).is_empty()
        assert events.dead["reason"].null_count() == 0
        assert events.dead["offset"].is_between(1, len(rows)).all()
    counts = ["kol_id", "event_type", "event_time", "likes"]
    first = sorted(found[0].frame.select(counts).rows(), key=str)
    assert all(sorted(events.frame.select(counts).rows(), key=str) == first for events in found)
    assert all(dead(events) == dead(found[0]) for events in found)
