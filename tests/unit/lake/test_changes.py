"""What changed in a table: new rows and rows taken away, never compaction; everything when the log cannot tell."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from kolray.lake.changes import changed_days, changed_files
from kolray.lake.tables import LakeTables
from tests.unit.lake.rows import START, add, bronze

NAME = "bronze.social"
DAY = START.date()


@pytest.fixture
def tables(tmp_path: Path) -> LakeTables:
    """Three commits: two on one day, one on the next."""
    tables = LakeTables(str(tmp_path / "a lake"))
    for n, day in enumerate((0, 0, 1)):
        rows = bronze("social", {"event_id": f"e{n}", "offset": n, "dt": DAY + timedelta(days=day)})
        add(tables, NAME, rows)
    return tables


def days_after(tables: LakeTables, version: int | None) -> list[int]:
    """Changed days, counted from the first."""
    return sorted((day - DAY).days for day in changed_days(tables.table(NAME), version))


def test_files_of_later_commits_alone(tables: LakeTables) -> None:
    table = tables.table(NAME)
    assert [len(changed_files(table, version)) for version in (None, 0, 1, 2)] == [3, 2, 1, 0]
    (file,) = changed_files(table, 1)
    assert file.dt == DAY + timedelta(days=1)
    assert (Path(tables.path(NAME)) / file.path).exists()
    assert [days_after(tables, version) for version in (None, 0, 1, 2)] == [[0, 1], [0, 1], [1], []]


def test_a_version_of_the_past_knows_only_its_own(tables: LakeTables) -> None:
    table = tables.table(NAME)
    table.load_as_version(1)
    assert [len(changed_files(table, version)) for version in (None, 0, 1)] == [2, 1, 0]


def test_compaction_is_no_change(tables: LakeTables) -> None:
    tables.table(NAME).optimize.compact()
    table = tables.table(NAME)
    assert table.version() == 3
    assert changed_files(table, 2) == []
    assert [file.dt for file in changed_files(table, 0)] == [DAY, DAY + timedelta(days=1)]
    assert len(changed_files(table, None)) == 2


def test_rows_taken_away_change_their_day(tables: LakeTables) -> None:
    tables.table(NAME).delete("event_id = 'e2'")
    assert days_after(tables, 2) == [1]
    assert changed_files(tables.table(NAME), 2) == []
    assert len(changed_files(tables.table(NAME), 0)) == 1


@pytest.mark.parametrize("compacted", [False, True])
def test_rows_taken_away_are_not_read_from_an_older_file(tables: LakeTables, compacted: bool) -> None:
    add(tables, NAME, bronze("social", {"event_id": "forgotten"}, {"event_id": "kept"}))
    if compacted:
        tables.table(NAME).optimize.compact()
    tables.table(NAME).delete("event_id = 'forgotten'")
    files = changed_files(tables.table(NAME), 2)
    assert {file.dt for file in files} == {DAY}
    ids = [pl.read_parquet(Path(tables.path(NAME)) / file.path)["event_id"] for file in files]
    assert sorted(pl.concat(ids)) == ["e0", "e1", "kept"]


def test_a_log_that_does_not_reach_back_means_everything(tables: LakeTables, caplog: pytest.LogCaptureFixture) -> None:
    tables.table(NAME).create_checkpoint()
    for version in (0, 1):
        (Path(tables.path(NAME)) / "_delta_log" / f"{version:020}.json").unlink()
    table = tables.table(NAME)
    assert len(changed_files(table, 1)) == 1
    assert len(changed_files(table, 0)) == 3
    assert "its log of version 1 is gone" in caplog.text


def test_a_table_made_anew_means_everything(tables: LakeTables, caplog: pytest.LogCaptureFixture) -> None:
    assert len(changed_files(tables.table(NAME), 9)) == 3
    assert "version 9 was read, it has 2" in caplog.text


def test_a_file_vacuumed_before_it_was_read_means_everything(
    tables: LakeTables, caplog: pytest.LogCaptureFixture
) -> None:
    tables.table(NAME).optimize.compact()
    tables.table(NAME).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table = tables.table(NAME)
    assert sorted(file.dt for file in changed_files(table, 0)) == [DAY, DAY + timedelta(days=1)]
    assert "was vacuumed before it was read" in caplog.text
    assert days_after(tables, 1) == [1]
