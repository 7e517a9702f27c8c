"""Maintenance changes how rows lie and never which: for readers at any time, and for the layers made of a table."""

from __future__ import annotations

import os
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from kolray.clock import SystemClock
from kolray.lake import maintenance
from kolray.lake.gold_files import refresh
from kolray.lake.gold_plan import plan_changed
from kolray.lake.layout import most_files
from kolray.lake.maintenance import CHECKPOINT_EVERY, Maintained, maintain
from kolray.lake.parts import delta_types, write_parts
from kolray.lake.reference import current, upsert_reference
from kolray.lake.silver_plan import plan_silver
from kolray.lake.sql import query
from kolray.lake.tables import LakeTables
from kolray.settings import LakeSettings
from kolray.testing.clock import FakeClock
from tests.unit.lake.rows import START, add, at_once, bronze, commit, refine_all

NAME = "bronze.social"
TODAY = START.date()


@pytest.fixture
def tables(tmp_path: Path) -> LakeTables:
    return LakeTables(str(tmp_path / "lake"))


def arrive(tables: LakeTables, commits: int, days: int = 1, first: int = 0) -> None:
    """Commits of one row a day each; event ids and offsets count up from ``first``."""
    for n in range(first, first + commits):
        rows = [
            {"event_id": f"e{n}-{d}", "kol_id": f"k{n % 7}", "offset": n * days + d, "dt": TODAY + timedelta(days=d)}
            for d in range(days)
        ]
        add(tables, NAME, bronze("social", *rows))


def age(file: Path, by: timedelta) -> None:
    """Makes a file look older."""
    at = (SystemClock().now() - by).timestamp()
    os.utime(file, (at, at))


def run(tables: LakeTables, clock: FakeClock | None = None, **settings: Any) -> dict[str, Maintained]:
    return {done.table: done for done in maintain(tables, LakeSettings(**settings), clock)}


def refine_new(tables: LakeTables) -> int:
    """One run of silver: files it read."""
    task = plan_silver(tables, "social")
    if task is None:
        return 0
    refined = refine_all(task, tables)
    for name, rows in (("silver.quarantine", refined.broken), ("silver.social", refined.valid)):
        add(tables, name, rows, {tables.source(name, "bronze.social"): task.bronze_version})
    return len(task.files)


def make_gold(tables: LakeTables) -> dict[str, int]:
    """One run of gold's KPIs: rows written to each table."""
    return refresh(tables, plan_changed(tables), at_once)


def sorted_rows(tables: LakeTables, name: str = NAME) -> pl.DataFrame:
    return tables.scan(name).sort("event_id").collect()


def test_files_are_merged_and_rows_stay(tables: LakeTables) -> None:
    arrive(tables, commits=9, days=3)
    before = sorted_rows(tables)
    done = run(tables)[NAME]
    assert (done.files_before, done.files_after, done.days_rewritten) == (27, 3, 3)
    assert sorted_rows(tables).equals(before)
    kols = pl.read_parquet(tables.files(NAME)[0])["kol_id"]
    assert kols.to_list() == sorted(kols)


def test_a_second_run_commits_nothing(tables: LakeTables) -> None:
    arrive(tables, commits=4, days=2)
    upsert_reference(tables.root, "kols", pl.DataFrame({"kol_id": ["a", "b"]}))
    upsert_reference(tables.root, "kols", pl.DataFrame({"kol_id": ["a"], "tier": ["nano"]}))
    assert run(tables)["ref.kols"].files_after == 1
    assert current(tables.root, "kols").sort("kol_id")["tier"].to_list() == ["nano", None]
    versions = {name: tables.table(name).version() for name in tables.names()}
    assert all(done.idle for done in run(tables).values())
    assert {name: tables.table(name).version() for name in tables.names()} == versions


def test_only_days_that_gained_files_are_rewritten(tables: LakeTables) -> None:
    arrive(tables, commits=2, days=3)
    run(tables)
    arrive(tables, commits=2, days=1, first=5)
    assert run(tables)[NAME].days_rewritten == 1


def test_large_days_keep_as_many_files_as_their_size_allows(tables: LakeTables) -> None:
    noise = [os.urandom(1 << 18).hex() for _ in range(8)]  # a quarter of a MB each, compressed
    for n, text in enumerate(noise):
        add(tables, NAME, bronze("social", {"event_id": f"{n}", "text": text}))
    done = run(tables, file_mb=1)[NAME]
    size = sum(Path(file).stat().st_size for file in tables.files(NAME))
    assert done.files_after <= most_files(size, 1 << 20) < done.files_before == 8
    assert run(tables, file_mb=1)[NAME].idle


def test_a_killed_run_goes_on_where_it_stopped(tables: LakeTables, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(tables, commits=3, days=4)
    rewrite, done = maintenance._rewrite, []

    def dying(table: DeltaTable, day: date | None, settings: LakeSettings) -> int:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(day)
        return rewrite(table, day, settings)

    with monkeypatch.context() as patched:
        patched.setattr(maintenance, "_rewrite", dying)
        with pytest.raises(KeyboardInterrupt):
            run(tables)
    assert sorted_rows(tables).height == 12
    rest = run(tables)[NAME]
    assert (rest.days_rewritten, rest.files_after) == (2, 4)


def test_orphans_are_deleted_once_they_are_old(tables: LakeTables) -> None:
    arrive(tables, commits=1)
    folder = tables.path(NAME)
    killed, at_work = (write_parts(NAME, folder, bronze("social", {"event_id": name}))[0] for name in ("x", "y"))
    age(Path(folder, killed.path), timedelta(hours=9))
    assert run(tables, vacuum_hours=8)[NAME].files_deleted == 1
    assert not Path(folder, killed.path).exists()
    commit(tables, NAME, [at_work], {})  # a writer that was slow, not dead
    assert sorted_rows(tables)["event_id"].to_list() == ["e0-0", "y"]


def test_replaced_files_go_when_no_reader_may_be_that_old(tables: LakeTables) -> None:
    arrive(tables, commits=3)
    old = tables.files(NAME)
    assert run(tables)[NAME].files_deleted == 0
    assert pl.read_parquet(old).height == 3
    assert run(tables, vacuum_hours=0)[NAME].files_deleted == 3
    assert sorted_rows(tables).height == 3


def test_readers_never_fail_while_tables_are_maintained(tables: LakeTables) -> None:
    arrive(tables, commits=12, days=3)
    held, failures, seen = tables.files(NAME), [], []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                seen.append(tables.scan(NAME).select(pl.len()).collect().item())
                seen.append(query(tables.root, f"SELECT count(DISTINCT event_id) FROM {NAME}").item())  # noqa: S608
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(3):
        run(tables, vacuum_hours=1)
        arrive(tables, commits=1, first=0)  # copies: the number of distinct ids stays
    stop.set()
    reader.join()
    assert failures == []
    assert len(seen) > 5
    assert min(seen) == 36
    assert pl.read_parquet(held).height == 36


def test_a_writer_that_overtakes_is_let_through_and_the_commit_tried_again(
    tables: LakeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(tables, commits=3)
    rewrite, overtaken = maintenance._rewrite, []

    def slow(table: DeltaTable, day: date | None, settings: LakeSettings) -> int:
        if not overtaken:  # between this table's loading and its commit, another writer replaces the day
            overtaken.append(day)
            tables.table(NAME).delete("event_id = 'e1-0'")
        return rewrite(table, day, settings)

    monkeypatch.setattr(maintenance, "_rewrite", slow)
    assert run(tables)[NAME].files_after == 1
    assert sorted_rows(tables)["event_id"].to_list() == ["e0-0", "e2-0"]


def test_a_checkpoint_is_written_when_the_log_has_grown(tables: LakeTables) -> None:
    arrive(tables, commits=CHECKPOINT_EVERY)
    assert run(tables)[NAME].checkpointed
    assert list(Path(tables.path(NAME), "_delta_log").glob("*.checkpoint.parquet"))
    assert not run(tables)[NAME].checkpointed


def test_log_entries_go_once_a_checkpoint_as_old_covers_them(tables: LakeTables) -> None:
    log = Path(tables.path(NAME), "_delta_log")
    for first in (0, CHECKPOINT_EVERY):
        arrive(tables, commits=CHECKPOINT_EVERY, first=first)
        run(tables, log_days=3)
    old = sorted(log.glob("*.json"))[: CHECKPOINT_EVERY + 2]
    for entry in [*old, min(log.glob("*.checkpoint.parquet"))]:
        age(entry, timedelta(days=5))
    run(tables, log_days=3)
    assert [entry.exists() for entry in old[:CHECKPOINT_EVERY]] == [False] * CHECKPOINT_EVERY
    assert sorted_rows(tables).height == 2 * CHECKPOINT_EVERY


def test_days_past_retention_go_and_what_was_made_of_them_stays(tables: LakeTables) -> None:
    arrive(tables, commits=2, days=4)
    refine_new(tables)
    clock = FakeClock(START + timedelta(days=5))
    done = run(tables, clock, bronze_days=3)
    assert (done[NAME].days_dropped, done["silver.social"].days_dropped) == (2, 0)
    assert sorted(set(sorted_rows(tables)["dt"])) == [TODAY + timedelta(days=d) for d in (2, 3)]
    assert refine_new(tables) == 0
    gold = make_gold(tables)
    assert gold["gold.kpi_daily"] > 0
    held = tables.scan("gold.kpi_daily").collect()
    assert run(tables, clock, silver_days=3)["silver.social"].days_dropped == 1
    assert not any(make_gold(tables).values())
    assert tables.scan("gold.kpi_daily").collect().equals(held)


def test_forecasts_have_a_retention_of_their_own(tables: LakeTables) -> None:
    days = pl.DataFrame({"kol_id": "k", "dt": [TODAY, TODAY + timedelta(days=3)]})
    for name in ("gold.forecasts", "gold.kpi_daily"):
        write_deltalake(str(tables.path(name)), delta_types(days.to_arrow()), partition_by=["dt"])
    done = run(tables, FakeClock(START + timedelta(days=5)), forecast_days=3)
    assert (done["gold.forecasts"].days_dropped, done["gold.kpi_daily"].days_dropped) == (1, 0)
    assert tables.scan("gold.forecasts").collect()["dt"].to_list() == [TODAY + timedelta(days=3)]


def test_retention_waits_for_who_has_not_read_the_days(tables: LakeTables) -> None:
    arrive(tables, commits=1)
    refine_new(tables)
    arrive(tables, commits=1, first=1)
    clock = FakeClock(START + timedelta(days=9))
    assert run(tables, clock, bronze_days=3)[NAME].waits == (f"days before {TODAY + timedelta(days=6)}",)
    refine_new(tables)
    assert run(tables, clock, bronze_days=3)[NAME].days_dropped == 1
    assert tables.scan("silver.social").collect().height == 2


def test_after_maintenance_silver_and_gold_have_nothing_to_do(tables: LakeTables) -> None:
    arrive(tables, commits=12, days=2)
    assert refine_new(tables) == 24
    arrive(tables, commits=1, first=20)
    make_gold(tables)
    assert refine_new(tables) == 1
    assert make_gold(tables)["gold.kpi_daily"] > 0
    done = run(tables, vacuum_hours=0)
    assert done[NAME].files_deleted > 0
    assert done["silver.social"].days_rewritten == 1
    assert plan_silver(tables, "social") is None
    assert not any(make_gold(tables).values())


def test_new_rows_after_maintenance_are_refined_once(tables: LakeTables) -> None:
    arrive(tables, commits=5, days=2)
    refine_new(tables)
    run(tables, vacuum_hours=0)
    arrive(tables, commits=1, first=3)  # copies of known events
    arrive(tables, commits=2, first=50)
    assert refine_new(tables) == 3
    run(tables, vacuum_hours=0)
    assert refine_new(tables) == 0
    events = tables.scan("silver.social").collect()["event_id"]
    assert sorted(events) == sorted({*sorted_rows(tables)["event_id"]})


def test_rows_that_silver_has_not_read_survive_merging_and_are_read_once(tables: LakeTables) -> None:
    arrive(tables, commits=2)
    refine_new(tables)
    arrive(tables, commits=3, first=7)
    done = run(tables, vacuum_hours=0)[NAME]
    assert (done.days_rewritten, done.files_deleted, done.waits) == (1, 0, ("replaced files",))
    assert refine_new(tables) == 3
    assert run(tables, vacuum_hours=0)[NAME].files_deleted == 5
    assert tables.scan("silver.social").collect()["event_id"].is_unique().sum() == 5


def test_without_the_log_everything_is_read_again_and_nothing_doubled(tables: LakeTables) -> None:
    add(tables, NAME, bronze("social", {"event_id": "bad", "likes": -1, "offset": 99}))
    arrive(tables, commits=CHECKPOINT_EVERY)
    refine_new(tables)
    arrive(tables, commits=1, first=70)
    run(tables)
    for entry in Path(tables.path(NAME), "_delta_log").glob("*.json"):
        if int(entry.stem) < tables.table(NAME).version():
            entry.unlink()
    assert refine_new(tables) == 1  # all rows, in the one file they are in now
    counts = [tables.scan(f"silver.{name}").collect().height for name in ("social", "quarantine")]
    assert counts == [CHECKPOINT_EVERY + 1, 1]
