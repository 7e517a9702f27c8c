"""SQL over whatever the lake holds."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from kolray.clock import from_ms
from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.commit import commit_parts
from kolray.lake.parts import write_parts
from kolray.lake.reference import upsert_reference
from kolray.lake.sql import query
from kolray.lake.tables import TABLES, LakeTables
from kolray.settings import Place
from tests.unit.lake.rows import START, add, bronze

HOUR_MS = 3_600_000


@pytest.fixture
def lake(tmp_path: Path) -> Place:
    tables = LakeTables(str(tmp_path / "it's a lake"))
    add(tables, "bronze.social", bronze("social", {"likes": 1}, {"likes": 2, "kol_id": "k2"}))
    next_day = {"likes": 4, "dt": START.date() + timedelta(days=1), "event_id": "z"}
    add(tables, "bronze.social", bronze("social", next_day))
    upsert_reference(tables.root, "kols", pl.DataFrame({"kol_id": ["k1", "k2"], "tier": ["nano", "mega"]}))
    return tables.root


def test_tables_of_every_layer_can_be_joined(lake: Place) -> None:
    sql = "SELECT tier, sum(likes)::BIGINT AS n FROM bronze.social JOIN ref.kols USING (kol_id) GROUP BY 1 ORDER BY 1"
    assert query(lake, sql).rows() == [("mega", 2), ("nano", 5)]


def test_days_are_dates(lake: Place) -> None:
    rows = query(lake, "SELECT dt, count(*) AS n FROM bronze.social WHERE dt >= DATE '2026-01-06' GROUP BY dt").rows()
    assert rows == [(START.date() + timedelta(days=1), 1)]


def test_times_keep_their_zone(lake: Place) -> None:
    assert query(lake, "SELECT min(event_time) AS t FROM bronze.social")["t"].dt.epoch("ms")[0] == 1_767_607_200_000


def test_hours_are_utc_wherever_the_machine_stands(lake: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    time.tzset()
    try:
        assert query(lake, "SELECT DISTINCT extract(hour FROM event_time) FROM bronze.social").rows() == [(10,)]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_table_without_rows_has_its_columns(lake: Place) -> None:
    tables = LakeTables(lake)
    add(tables, "silver.quarantine", pl.DataFrame(schema=TABLES["silver.quarantine"]))
    assert query(lake, "SELECT reason, dt FROM silver.quarantine").schema["dt"] == pl.Date


def test_a_column_that_only_some_files_have_is_null_in_the_others(lake: Place) -> None:
    tables, extra = LakeTables(lake), {"saves": pl.Int64()}
    name, rows = "bronze.social", bronze("social", {"event_id": "y"}).with_columns(saves=pl.lit(5))
    parts = write_parts(name, tables.path(name), rows, extra)
    commit_parts(name, tables.path(name), pl.Schema(TABLES[name] | extra), parts, {})
    assert query(lake, "SELECT saves FROM bronze.social ORDER BY saves")["saves"].to_list() == [5, None, None, None]
    assert query(lake, "SELECT * FROM bronze.social")["saves"].sum() == 5
    assert query(lake, "SELECT count(likes) FROM bronze.social").item() == 3
    add(tables, name, bronze("social", {"event_id": "old writer"}))
    assert query(lake, "SELECT count(*) AS n, sum(saves)::BIGINT AS s FROM bronze.social").row(0) == (5, 5)


def test_rows_that_were_replaced_are_not_seen(lake: Place) -> None:
    (Path(lake) / "bronze" / "social" / "dt=2026-01-05" / "part-uncommitted.parquet").write_bytes(b"torn")
    assert query(lake, "SELECT count(*) FROM bronze.social").item() == 3


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT * FROM bronze.absent", "SELECT nothing FROM bronze.social"])
def test_a_statement_that_is_refused_names_the_tables(lake: Place, sql: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Tables: bronze.social, ref.kols"):
        query(lake, sql)


def test_a_statement_without_a_result(lake: Place) -> None:
    with pytest.raises(InvalidInputError, match=r"write one SELECT"):
        query(lake, "CREATE TABLE x (a INTEGER)")


def test_the_lake_as_it_was(lake: Place) -> None:
    tables, count = LakeTables(lake), "SELECT count(*) FROM bronze.social"
    made = tables.table("bronze.social").history()[-1]["timestamp"]
    for version, ms in ((0, made), (1, made + HOUR_MS)):  # a version is as old as its file in the log
        log = Path(tables.path("bronze.social"), "_delta_log", f"{version:020d}.json")
        os.utime(log, ns=(ms * 1_000_000, ms * 1_000_000))
    assert query(lake, count, from_ms(made + HOUR_MS)).item() == 3
    assert query(lake, count, from_ms(made + HOUR_MS - 1)).item() == 2
    assert query(lake, count, versions={"bronze.social": 0}).item() == 2
    assert query(lake, count, from_ms(made + HOUR_MS), {"bronze.social": 0}).item() == 2
    with pytest.raises(InvalidInputError, match="Tables: none yet"):
        query(lake, count, from_ms(made - 1))


def test_a_version_that_is_not_there(lake: Place) -> None:
    with pytest.raises(NotFoundError, match=r"bronze.social cannot be read at version 7: the newest is 1"):
        query(lake, "SELECT 1", versions={"bronze.social": 7})
    with pytest.raises(NotFoundError, match=r"has no table silver.social; run `kolray lake silver`"):
        query(lake, "SELECT 1", versions={"silver.social": 0})


def test_a_lake_that_is_empty(tmp_path: Path) -> None:
    assert query(str(tmp_path), "SELECT 1 AS one").rows() == [(1,)]
    with pytest.raises(InvalidInputError, match=r"Tables: none yet"):
        query(str(tmp_path), "SELECT * FROM silver.social")
