"""Writers at the same moment: each row once, a table made once, and no older plan undoes a newer one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from kolray.errors import ConflictError
from kolray.lake.commit import commit_parts, replace_days
from kolray.lake.gold_files import FEATURES, store_features
from kolray.lake.gold_plan import plan_changed, plan_range
from kolray.lake.maintenance import maintain
from kolray.lake.overlap import PLANS, Advance, next_turn, stands, until_undisturbed
from kolray.lake.parts import write_parts
from kolray.lake.scores import NAME as SCORES
from kolray.lake.scores import copy_scores
from kolray.lake.silver_plan import plan_silver
from kolray.lake.tables import TABLES, LakeTables
from kolray.settings import LakeSettings
from kolray.testing.stores import MemoryStore
from tests.unit.lake.rows import START, add, bronze, refine_all, silver

NAME = "bronze.social"
ZERO, ONE = f"{NAME}/events.social.raw-0", f"{NAME}/events.social.raw-1"
DAY = START.date()


@pytest.fixture
def tables(tmp_path: Path) -> LakeTables:
    return LakeTables(str(tmp_path / "lake"))


def rows_at(partition: int, start: int, end: int) -> pl.DataFrame:
    """What a topic-partition holds from an offset to another."""
    places = [{"partition": partition, "offset": n, "event_id": f"{partition}-{n}", "s": n} for n in range(start, end)]
    return bronze("social", *places)


def files_of(tables: LakeTables, name: str = NAME) -> int:
    return len(list(Path(tables.path(name)).rglob("*.parquet")))


def read_to(tables: LakeTables, ends: dict[int, int], held: dict[int, int | None]) -> bool:
    """What a run of bronze does that read partitions from ``held`` to ``ends``."""
    rows = pl.concat(rows_at(number, held[number] or 0, end) for number, end in ends.items())
    parts = write_parts(NAME, tables.path(NAME), rows)
    ways = {f"{NAME}/events.social.raw-{n}": Advance(held[n], end) for n, end in ends.items()}
    return commit_parts(NAME, tables.path(NAME), pl.Schema(TABLES[NAME]), parts, ways)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Runs works in threads that begin together; returns their results, or what they raised."""
    results: list[Any] = [None] * len(works)
    begin = threading.Barrier(len(works))

    def run(index: int, work: Callable[[], Any]) -> None:
        begin.wait()
        try:
            results[index] = work()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_run_that_was_ahead_in_one_source_only_adds_nothing(tables: LakeTables) -> None:
    assert read_to(tables, {0: 10}, {0: None})
    before = files_of(tables)
    assert not read_to(tables, {0: 5, 1: 5}, {0: None, 1: None})  # it had planned on an empty table
    assert not read_to(tables, {0: 15, 1: 5}, {0: None, 1: None})
    assert files_of(tables) == before
    assert read_to(tables, {0: 15, 1: 5}, {0: 10, 1: None})
    held = tables.scan(NAME).select("partition", "offset").collect()
    assert held.height == held.n_unique() == 20


def test_nothing_fits_between_the_look_at_the_table_and_the_commit(tables: LakeTables) -> None:
    read_to(tables, {0: 1}, {0: None})

    def commit(end: int) -> Callable[[], bool]:
        return lambda: read_to(tables, {0: end}, {0: end - 1})

    for end in range(2, 10):
        assert sorted(at_once(*[commit(end)] * 3)) == [False, False, True]
    held = tables.scan(NAME).select("offset").collect()["offset"]
    assert sorted(held) == list(range(9))
    assert files_of(tables) == 9


def test_writers_of_other_sources_do_not_hinder_each_other(tables: LakeTables) -> None:
    read_to(tables, {0: 1, 1: 1}, {0: None, 1: None})

    def reader(number: int) -> list[bool]:
        return [read_to(tables, {number: end}, {number: end - 1}) for end in range(2, 7)]

    assert at_once(lambda: reader(0), lambda: reader(1)) == [[True] * 5] * 2
    assert tables.scan(NAME).collect().height == 12


def test_a_table_is_made_once_by_creators_at_the_same_moment(tmp_path: Path) -> None:
    for number in range(5):
        tables = LakeTables(str(tmp_path / str(number)))
        works = [lambda tables=tables, n=n: read_to(tables, {n: 3}, {n: None}) for n in (0, 0, 1)]
        first, second, other = at_once(*works)
        assert sorted([first, second]) == [False, True]
        assert other is True
        assert tables.scan(NAME).collect().height == 6
        assert len({entry.get("version") for entry in tables.table(NAME).history()}) == 2


RACER = """
import sys
from kolray.lake.tables import LakeTables
from tests.unit.lake.test_overlap import NAME, ZERO, read_to
tables, won, end = LakeTables(sys.argv[1]), 0, int(sys.argv[2])
while (held := tables.transaction(NAME, ZERO)) != end:
    won += read_to(tables, {0: (held or 0) + 1}, {0: held})
print(won)
"""


def test_processes_that_race_for_one_source_add_each_row_once(tables: LakeTables) -> None:
    command = [sys.executable, "-c", RACER, tables.root, "9"]
    root = str(Path(__file__).parents[3])
    racers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ | {"PYTHONPATH": root})
        for _ in range(2)
    ]
    won = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(won) == 9
    assert sorted(tables.scan(NAME).select("offset").collect()["offset"]) == list(range(9))
    assert files_of(tables) == 9


def test_a_plan_on_a_table_that_was_taken_away_is_void(tables: LakeTables) -> None:
    assert not read_to(tables, {0: 9}, {0: 5})
    assert not tables.exists(NAME)
    assert files_of(tables) == 0


def test_a_replacement_made_of_less_does_not_undo_a_newer_one(tables: LakeTables) -> None:
    name = "gold.kpi_daily"
    add(tables, "silver.social", silver("social", {"likes": 1}), {})
    older = plan_range(tables, DAY, DAY)[name]
    add(tables, "silver.social", silver("social", {"event_id": "e1", "likes": 2}), {})
    newer = plan_changed(tables)[name]

    def write(events: int, plan: Any) -> bool:
        frame = pl.DataFrame([{"kol_id": "k", "events": events, "dt": DAY}], schema=pl.Schema(TABLES[name]))
        return replace_days(name, tables.path(name), write_parts(name, tables.path(name), frame), [DAY], plan.sources)

    assert write(2, newer)
    assert not write(1, older)
    assert tables.scan(name).collect()["events"].to_list() == [2]
    assert files_of(tables, name) == 1
    assert write(3, plan_range(tables, DAY, DAY)[name])
    assert tables.scan(name).collect()["events"].to_list() == [3]


def test_replacements_and_compaction_at_the_same_moment(tables: LakeTables) -> None:
    name, turn = "gold.kpi_daily", "gold.kpi_daily/replaced"
    row = {"kol_id": "k", "events": 0, "dt": DAY}

    def write(events: int) -> bool:
        held = tables.transaction(name, turn)
        frame = pl.DataFrame([row | {"events": events}] * 2, schema=pl.Schema(TABLES[name]))
        parts = [part for half in (frame[:1], frame[1:]) for part in write_parts(name, tables.path(name), half)]
        return replace_days(name, tables.path(name), parts, [DAY], {turn: next_turn(held)})

    write(0)
    for events in range(1, 6):
        won = at_once(lambda events=events: write(events), lambda events=events: write(events), lambda: tidy(tables))
        assert True in won[:2], won
        assert won[2] in {True, False}, won
        assert tables.scan(name).collect()["events"].to_list() == [events] * 2


def tidy(tables: LakeTables) -> bool:
    """Maintains the lake; whether no other run took anything over."""
    done = list(maintain(tables, LakeSettings(file_mb=1)))
    return not any(table.waits for table in done)


def test_maintenance_twice_at_the_same_moment_doubles_nothing(tables: LakeTables) -> None:
    for end in range(10, 40, 10):
        for start in range(end - 10, end, 5):
            read_to(tables, {0: start + 5}, {0: start or None})
        assert True in at_once(*[lambda: tidy(tables)] * 3)
        assert sorted(tables.scan(NAME).select("offset").collect()["offset"]) == list(range(end))
        assert len(tables.files(NAME)) == 1


def test_a_compaction_that_was_overtaken_by_another_run_is_given_up(tables: LakeTables) -> None:
    read_to(tables, {0: 5}, {0: None})
    read_to(tables, {0: 9}, {0: 5})
    table = tables.table(NAME)  # as a run that stood still had loaded it
    assert tidy(tables)
    with pytest.raises(CommitFailedError):
        table.optimize.compact()
    assert tables.scan(NAME).collect().height == 9


def test_features_of_one_time_written_at_the_same_moment_are_there_once(tmp_path: Path) -> None:
    for number in range(3):
        tables = LakeTables(str(tmp_path / str(number)))
        frame = pl.DataFrame([{"kol_id": "k1", "as_of": START}], schema=pl.Schema(TABLES[FEATURES])).drop("dt")
        write = lambda tables=tables, frame=frame: store_features(tables, frame, START)  # noqa: E731
        assert at_once(write, write, write) == [1, 1, 1]
        assert tables.scan(FEATURES).collect().height == 1


def test_scores_copied_at_the_same_moment_are_there_once(tables: LakeTables) -> None:
    store = MemoryStore()
    store.migrate()
    score = {"kol_id": "k1", "model": "trust@1", "as_of": START, "score": 50.0, "scored_at": START}
    schema = pl.Schema({name: dtype for name, dtype in TABLES[SCORES].items() if name != "dt"})
    store.upsert_scores(pl.DataFrame([score], schema=schema))
    copied = at_once(*[lambda: copy_scores(tables, store)] * 3)
    assert sorted(copied) == [0, 0, 1]
    assert tables.scan(SCORES).collect().height == 1


def test_a_bronze_table_made_anew_is_read_from_its_start(tables: LakeTables) -> None:
    for number in range(3):
        add(tables, NAME, bronze("social", {"event_id": f"old{number}"}))
    _refine(tables)
    for path in sorted(Path(tables.path(NAME)).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for number in range(5):  # its version passes that of the old one
        add(tables, NAME, bronze("social", {"event_id": f"new{number}"}))
    assert len(_refine(tables)) == 5
    assert _refine(tables) == []
    assert tables.scan("silver.social").collect().height == 8


def _refine(tables: LakeTables) -> list[str]:
    task = plan_silver(tables, "social")
    rows = [refine_all(task, tables).valid] if task else []
    for frame in rows:
        add(tables, "silver.social", frame, {tables.source("silver.social", NAME): task.bronze_version if task else 0})
    return [event for frame in rows for event in frame["event_id"]]


def test_runs_that_are_always_overtaken_say_so(tables: LakeTables) -> None:
    plans: list[int] = []
    with pytest.raises(ConflictError, match="other runs of gold made each of 8 plans"):
        until_undisturbed("gold", lambda: bool(plans.append(1)))
    assert len(plans) == PLANS
    until_undisturbed("gold", lambda: True)
    read_to(tables, {0: 1}, {0: None})
    assert stands(DeltaTable(tables.path(NAME)), {ZERO: Advance(1, 2), ONE: Advance(None, 1)})
    assert not stands(DeltaTable(tables.path(NAME)), {ZERO: Advance(None, 2)})
