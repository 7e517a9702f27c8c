"""A KOL taken out of tables and of their past; what the next layer has read it need not read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from kolray.errors import NotFoundError
from kolray.events import TIME
from kolray.lake.erasure.purge import delete_abandoned, purge
from kolray.lake.erasure.rows import count_rows, erase_rows
from kolray.lake.erasure.scan import files_with, table_of
from kolray.lake.erasure.trace import FORGOTTEN, Trace
from kolray.lake.gold_files import refresh
from kolray.lake.gold_plan import plan_changed
from kolray.lake.maintenance import maintain
from kolray.lake.reference import current
from kolray.lake.silver_plan import plan_silver
from kolray.lake.tables import TABLES, LakeTables
from kolray.settings import LakeSettings
from tests.lakes import make_lake
from tests.unit.lake.rows import add, at_once, bronze, commit

KOL = "kol-0003"
TRACE = Trace(KOL)
AT = datetime(2026, 1, 6, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> LakeTables:
    """Every kind of table, with older versions, orphans and log entries that hold the KOL."""
    tables = make_lake(str(tmp_path / "lake"), n_kols=6, events_per_kol=40)
    letters = [
        ("events.social.raw", 0, 1, "not Avro", KOL.encode(), b"\x00\x01"),
        ("events.social.raw", 0, 2, "not Avro", b"kol-0001", b"\x10kol-0003\x0ctiktok"),
        ("events.social.raw", 0, 3, "not Avro", b"kol-0001", b"\x10kol-0001\x0ctiktok"),
    ]
    dead = pl.DataFrame(letters, schema=list(TABLES["bronze.dead_letters"])[:6], orient="row")
    day = {"at": pl.lit(AT), "dt": pl.lit(AT.date()), "dlq_partition": pl.lit(0), "dlq_offset": pl.lit(0)}
    add(tables, "bronze.dead_letters", dead.with_columns(**day))
    alerts = pl.DataFrame(
        {"alert_id": ["a", "b"], "kol_id": [KOL, "kol-0001"], "evidence": ["{}", f'{{"like":"{KOL}"}}']}
    )
    lacking = [pl.lit(None, t).alias(n) for n, t in TABLES["bronze.alerts"].items() if n not in alerts.columns]
    add(tables, "bronze.alerts", alerts.with_columns(lacking).with_columns(dt=pl.lit(AT.date())))
    (Path(tables.path("bronze.alerts")) / "dt=2026-01-06" / "part-orphan.parquet").write_bytes(
        Path(tables.files("bronze.alerts")[0]).read_bytes()
    )
    half = Path(tables.files("silver.social")[0])
    half.with_name(f"{half.name}#1").write_bytes(KOL.encode())
    never = Path(tables.path("bronze.late_events"))
    never.mkdir()
    (never / "part-0.parquet").write_bytes(Path(tables.files("bronze.alerts")[0]).read_bytes())
    DeltaTable(tables.path("gold.kpi_daily")).delete(f"kol_id = '{KOL}' AND dt = DATE '2026-01-06'")
    DeltaTable(tables.path("silver.social")).create_checkpoint()
    return tables


def traced(tables: LakeTables) -> set[str]:
    return set(map(table_of, files_with(tables, TRACE)))


def without(tables: LakeTables, name: str) -> pl.DataFrame:
    return TRACE.clean(pl.scan_delta(tables.path(name)).collect()).frame


def test_no_byte_is_left_in_any_table_and_everybody_else_stays(lake: LakeTables) -> None:
    names = lake.names()
    assert traced(lake) >= {*names} - {"gold.platform_daily", "silver.quality"}
    before = {name: without(lake, name) for name in names}
    counted = {name: count_rows(lake.table(name), TRACE) for name in names}
    for name in names:
        erased = erase_rows(lake.table(name), TRACE)
        assert erased.rows + erased.redacted == counted[name]
        assert erase_rows(lake.table(name), TRACE).days == 0, "a second run has nothing to do"
        purge(lake, name)
    assert traced(lake) == {"bronze.late_events"}, "a table that never became one"
    assert delete_abandoned(lake, files_with(lake, TRACE)) == 1
    assert files_with(lake, TRACE) == []
    written = [file for file in Path(lake.root).rglob("*") if file.is_file()]
    assert not any(KOL.encode() in file.read_bytes() for file in written), "nor in the bounds of a file's footer"
    for name in names:
        after = pl.scan_delta(lake.path(name)).collect()
        key = [column for column in after.columns if after.schema[column] != pl.Binary]
        assert after.sort(key).equals(before[name].sort(key)), name
    assert counted["bronze.dead_letters"] == 2
    assert lake.scan("bronze.alerts").collect()["evidence"].to_list() == [f'{{"like":"{FORGOTTEN}"}}']
    assert current(lake.root, "kols").height == 5


def test_the_log_begins_with_the_purged_version_and_goes_on(lake: LakeTables) -> None:
    name = "silver.social"
    erase_rows(lake.table(name), TRACE)
    purge(lake, name)
    version = lake.table(name).version()
    log = sorted(file.name for file in (Path(lake.path(name)) / "_delta_log").iterdir())
    assert log == [f"{version:020}.checkpoint.parquet", f"{version:020}.json", "_last_checkpoint"]
    with pytest.raises(NotFoundError, match=r"no version 0, or no longer"):
        lake.scan(name, 0)
    rows = lake.scan(name).collect()
    add(lake, name, rows.head(3).with_columns(pl.col(pl.Datetime).cast(TIME)))
    assert lake.scan(name).collect().height == rows.height + 3
    assert list(maintain(lake, LakeSettings()))
    assert purge(lake, name) > 0
    assert lake.scan(name).collect().height == rows.height + 3


def test_a_layer_that_had_read_everything_reads_nothing_again(tmp_path: Path) -> None:
    tables = LakeTables(str(tmp_path))
    for n in range(3):
        add(tables, "bronze.social", bronze("social", {"event_id": f"e{n}", "kol_id": f"k{n}"}))
    read = {tables.source("silver.social", "bronze.social"): tables.table("bronze.social").version()}
    add(tables, "silver.social", _silver(tables), read)
    for name in ("bronze.social", "silver.social"):
        erase_rows(tables.table(name), Trace("k1"))
    refresh(tables, plan_changed(tables), at_once)
    for name in tables.names():
        purge(tables, name)
    assert plan_silver(tables, "social") is None
    assert plan_changed(tables) == {}
    add(tables, "bronze.social", bronze("social", {"event_id": "new", "kol_id": "k2"}))
    task = plan_silver(tables, "social")
    assert task is not None
    assert len(task.files) == 1


def test_a_layer_that_lagged_reads_the_rest(tmp_path: Path) -> None:
    tables = LakeTables(str(tmp_path))
    add(tables, "bronze.social", bronze("social", {"event_id": "e0", "kol_id": "k0"}))
    commit(
        tables,
        "silver.social",
        [],
        {tables.source("silver.social", "bronze.social"): tables.table("bronze.social").version()},
    )
    add(
        tables,
        "bronze.social",
        bronze("social", {"event_id": "e1", "kol_id": "k0"}, {"event_id": "e2", "kol_id": "k1"}),
    )
    erase_rows(tables.table("bronze.social"), Trace("k1"))
    purge(tables, "bronze.social")
    task = plan_silver(tables, "social")
    assert task is not None
    read = pl.concat(pl.read_parquet(file) for file in task.files)["event_id"]
    assert set(read) == {"e0", "e1"}, "silver knows e0, which its run leaves out"


def test_a_day_of_the_kol_alone_becomes_empty(tmp_path: Path) -> None:
    tables = LakeTables(str(tmp_path))
    days = [AT.date() + timedelta(days=n) for n in range(2)]
    add(tables, "bronze.social", bronze("social", {"kol_id": "k1", "dt": days[0]}, {"kol_id": "k2", "dt": days[1]}))
    assert erase_rows(tables.table("bronze.social"), Trace("k1")).rows == 1
    assert tables.scan("bronze.social").collect()["dt"].to_list() == [days[1]]


def _silver(tables: LakeTables) -> pl.DataFrame:
    rows = tables.scan("bronze.social").collect()
    lacking = [pl.lit(None, t).alias(n) for n, t in TABLES["silver.social"].items() if n not in rows.columns]
    kept = rows.with_columns(lacking).with_columns(dt=pl.col("event_time").dt.date(), available_at=pl.col("kafka_time"))
    return kept.select(pl.col(n).cast(t) for n, t in TABLES["silver.social"].items())
