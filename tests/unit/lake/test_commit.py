"""Files first, one commit after: every row once, whatever is repeated or breaks off."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow.dataset as ds
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from kolray.clock import from_ms, to_ms
from kolray.errors import NotFoundError, SchemaError
from kolray.lake.commit import commit_parts, discard
from kolray.lake.overlap import Advance
from kolray.lake.parts import write_parts
from kolray.lake.tables import TABLES, LakeTables
from tests.unit.lake.rows import START, add, bronze, commit

NAME = "bronze.social"
SOURCE = "bronze.social/events.social.raw-0"


@pytest.fixture
def tables(tmp_path: Path) -> LakeTables:
    return LakeTables(str(tmp_path / "lake"))


def files(tables: LakeTables, name: str = NAME) -> set[Path]:
    """Parquet files in a table's folder, visible or not."""
    return set(Path(tables.path(name)).rglob("*.parquet"))


def ids(tables: LakeTables) -> list[str]:
    """Event ids that readers see."""
    return sorted(tables.scan(NAME).select("event_id").collect()["event_id"])


def test_rows_come_back_as_they_were(tables: LakeTables) -> None:
    frame = bronze(
        "social",
        {"likes": 1, "text": "xin chào", "verified": True, "followers": 1 << 39},
        {"event_time": from_ms(to_ms(START) + 123), "dt": START.date() + timedelta(days=1)},
    )
    assert add(tables, NAME, frame, {SOURCE: 2})
    read = tables.scan(NAME).select(*TABLES[NAME]).cast(pl.Schema(TABLES[NAME])).sort("offset").collect()
    assert_frame_equal(read, frame)
    assert {file.parent.name for file in files(tables)} == {"dt=2026-01-05", "dt=2026-01-06"}
    assert tables.transaction(NAME, SOURCE) == 2
    assert tables.names() == [NAME]


def test_a_commit_repeated_is_skipped_and_its_files_deleted(tables: LakeTables) -> None:
    frame = bronze("social", {}, {})
    assert add(tables, NAME, frame, {SOURCE: 2})
    before = files(tables)
    assert not add(tables, NAME, frame, {SOURCE: 2})
    assert not add(tables, NAME, frame, {SOURCE: 1})
    assert files(tables) == before
    assert tables.table(NAME).version() == 0
    assert ids(tables) == ["e0", "e1"]


def test_later_versions_of_a_source_are_added(tables: LakeTables) -> None:
    add(tables, NAME, bronze("social", {}), {SOURCE: 1})
    assert add(tables, NAME, bronze("social", {"event_id": "e1"}), {SOURCE: 2})
    other = SOURCE.replace("-0", "-1")
    assert add(tables, NAME, bronze("social", {"event_id": "e2"}), {SOURCE: 3, other: 1})
    assert ids(tables) == ["e0", "e1", "e2"]
    assert (tables.transaction(NAME, SOURCE), tables.transaction(NAME, other)) == (3, 1)
    assert tables.transaction(NAME, "another") is None


def test_a_crash_before_the_commit_leaves_the_table_unchanged(tables: LakeTables) -> None:
    add(tables, NAME, bronze("social", {}), {SOURCE: 1})
    more = bronze("social", {"event_id": "e1"})
    write_parts(NAME, tables.path(NAME), more)  # and no commit
    assert ids(tables) == ["e0"]
    assert add(tables, NAME, more, {SOURCE: 2})
    assert ids(tables) == ["e0", "e1"]


def test_a_crash_before_the_first_commit(tables: LakeTables) -> None:
    frame = bronze("social", {})
    write_parts(NAME, tables.path(NAME), frame)
    assert not tables.exists(NAME)
    assert tables.scan(NAME).collect().is_empty()
    with pytest.raises(NotFoundError, match="run `kolray lake bronze`"):
        tables.table(NAME)
    assert add(tables, NAME, frame, {SOURCE: 1})
    assert ids(tables) == ["e0"]


def test_a_crash_after_the_commit_is_a_repeated_one(tables: LakeTables) -> None:
    frame = bronze("social", {}, {})
    parts = write_parts(NAME, tables.path(NAME), frame)
    assert commit(tables, NAME, parts, {SOURCE: 2})
    again = write_parts(NAME, tables.path(NAME), frame)
    assert not commit(tables, NAME, again, {SOURCE: 2})
    assert ids(tables) == ["e0", "e1"]
    assert not any((Path(tables.path(NAME)) / part.path).exists() for part in again)


def test_discarded_files_are_gone_and_may_be_discarded_again(tables: LakeTables) -> None:
    parts = write_parts(NAME, tables.path(NAME), bronze("social", {}))
    discard(tables.path(NAME), parts)
    discard(tables.path(NAME), parts)
    assert not files(tables)


def test_a_commit_without_files_makes_an_empty_table(tables: LakeTables) -> None:
    assert commit(tables, NAME, [], {SOURCE: 5})
    assert tables.transaction(NAME, SOURCE) == 5
    assert ids(tables) == []


def test_statistics_hold_the_bounds_of_a_file(tables: LakeTables) -> None:
    at = from_ms(to_ms(START) + 999)
    (part,) = write_parts(NAME, tables.path(NAME), bronze("social", {"likes": 3}, {"event_time": at, "likes": 9}))
    stats = json.loads(part.stats)
    assert (part.rows, stats["numRecords"]) == (2, 2)
    assert (stats["minValues"]["likes"], stats["maxValues"]["likes"]) == (3, 9)
    assert stats["minValues"]["event_time"] == "2026-01-05T10:00:00.000Z"
    assert stats["maxValues"]["event_time"] == "2026-01-05T10:00:01.000Z"  # rounded up, never below the value
    assert (stats["nullCount"]["likes"], stats["nullCount"]["views"]) == (0, 2)
    assert "views" not in stats["minValues"]
    assert part.size == (Path(tables.path(NAME)) / part.path).stat().st_size


def test_a_column_that_the_table_lacks_is_added_and_null_in_what_it_holds(tables: LakeTables) -> None:
    folder, schema = tables.path(NAME), pl.Schema(TABLES[NAME])
    add(tables, NAME, bronze("social", {}), {SOURCE: 1})
    more = bronze("social", {"event_id": "e1"}).with_columns(saves=pl.lit(4))
    parts = write_parts(NAME, folder, more, {"saves": pl.Int64})
    assert commit_parts(NAME, folder, pl.Schema({**schema, "saves": pl.Int64}), parts, {SOURCE: Advance(1, 2)})
    add(tables, NAME, bronze("social", {"event_id": "e2"}), {SOURCE: 3})  # a writer that knows nothing of it
    assert dict(tables.scan(NAME).select("event_id", "saves").collect().iter_rows()) == {
        "e0": None,
        "e1": 4,
        "e2": None,
    }
    assert tables.table(NAME).version() == 3


def test_a_column_of_another_type_is_refused_and_leaves_nothing(tables: LakeTables) -> None:
    folder = tables.path(NAME)
    add(tables, NAME, bronze("social", {}), {SOURCE: 1})
    before, schema = files(tables), pl.Schema({**TABLES[NAME], "likes": pl.String})
    parts = write_parts(NAME, folder, bronze("social", {"event_id": "e1"}))
    with pytest.raises(SchemaError, match=r"bronze.social.likes is long in the lake and string .* nothing was added"):
        commit_parts(NAME, folder, schema, parts, {SOURCE: Advance(1, 2)})
    assert files(tables) == before
    assert tables.table(NAME).version() == 0


def test_numbers_that_json_does_not_have_are_in_no_bound(tables: LakeTables) -> None:
    for value in (float("nan"), float("inf")):
        (part,) = write_parts("bronze.web", tables.path("bronze.web"), bronze("web", {"value": value}))
        assert "value" not in json.loads(part.stats, parse_constant=pytest.fail)["maxValues"]


def test_filters_find_rows_at_the_bounds_of_files(tables: LakeTables) -> None:
    for n in range(5):
        rows = [{"event_id": f"{n}-{i}", "s": n * 10 + i, "likes": n * 10 + i, "offset": n * 10 + i} for i in range(10)]
        add(tables, NAME, bronze("social", *rows), {SOURCE: (n + 1) * 10})
    table = DeltaTable(tables.path(NAME))
    for second in (0, 9, 10, 29, 49):
        at = START + timedelta(seconds=second)
        for found in (
            tables.scan(NAME).filter(pl.col("event_time") == at).collect(),
            tables.scan(NAME).filter(pl.col("likes") == second).collect(),
            pl.DataFrame(table.to_pyarrow_dataset().to_table(filter=ds.field("event_time") == at)),
        ):
            assert found["offset"].to_list() == [second]
    assert tables.scan(NAME).filter(pl.col("event_time") >= START + timedelta(seconds=20)).collect().height == 30
