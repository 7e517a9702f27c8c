"""The contract of a lake: what it answers is the same on a disk and in a bucket, and many may write it at once."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyarrow.fs import FileType

from kolray.clock import SystemClock
from kolray.errors import ConflictError, NotFoundError, ServiceUnavailableError, SettingsError
from kolray.events import KINDS, Kind
from kolray.lake.changes import log_store
from kolray.lake.commit import commit_parts, discard
from kolray.lake.erasure.purge import delete_abandoned, purge
from kolray.lake.erasure.rows import erase_rows
from kolray.lake.erasure.scan import every_file, files_with, table_of
from kolray.lake.erasure.trace import Trace
from kolray.lake.gold_files import refresh
from kolray.lake.gold_plan import plan_changed
from kolray.lake.increment import Mark, first_new
from kolray.lake.journal import Journal
from kolray.lake.maintenance import maintain
from kolray.lake.overlap import Advance
from kolray.lake.parts import write_parts
from kolray.lake.places import PART, close_file, delete, is_table, new_file, tables_under
from kolray.lake.queries import queries
from kolray.lake.silver_plan import plan_silver
from kolray.lake.sql import query
from kolray.lake.tables import TABLES, LakeTables
from kolray.lake.turns import alone, lake_job
from kolray.settings import LakeSettings, Place, S3Settings
from tests.lakes import make_lake
from tests.s3 import aws_variables, be_busy, lose_answer
from tests.unit.lake.rows import START, add, bronze, refine_all
from tests.unit.lake.rows import at_once as here
from tests.unit.lake.test_overlap import RACER, at_once, read_to

NAME = "bronze.social"
SCHEMA = pl.Schema(TABLES[NAME])


def bucket(s3: S3Settings) -> Place:
    """An empty place in a bucket."""
    return Place(f"s3://lake/{secrets.token_hex(4)}/deep", s3)


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place for a lake."""
    return Place(str(tmp_path)) if request.param == "folder" else bucket(request.getfixturevalue("s3"))


@pytest.fixture
def tables(root: Place) -> LakeTables:
    return LakeTables(root)


def run_silver(tables: LakeTables, kind: Kind) -> int:
    """One run of silver; returns the rows it gained."""
    task = plan_silver(tables, kind)
    assert task is not None
    valid = refine_all(task, tables).valid
    add(tables, f"silver.{kind}", valid, {tables.source(f"silver.{kind}", f"bronze.{kind}"): task.bronze_version})
    return valid.height


def test_a_lake_in_a_bucket_answers_as_one_on_a_disk(s3: S3Settings, tmp_path: Path) -> None:
    """All layers, reference tables and every seventh of the canned questions."""
    here, there = (make_lake(root, n_kols=6, events_per_kol=20) for root in (Place(str(tmp_path)), bucket(s3)))
    assert there.names() == here.names()
    for asked in list(queries())[::7]:
        assert_frame_equal(query(there.root, asked.sql), query(here.root, asked.sql))
    assert query(there.root, "SELECT count(*) FROM gold.features", at=datetime.now(UTC)).item() == 12


def test_rows_go_from_bronze_to_gold_once_and_maintenance_changes_no_answer(tables: LakeTables) -> None:
    asked = "SELECT sum(likes)::BIGINT AS likes, count(*) AS n FROM gold.kpi_hourly"
    mark = Mark.of(tables, ["5m"])
    for number in range(2):
        add(
            tables,
            NAME,
            bronze("social", {"event_id": f"e{number}", "likes": number}, {"event_id": "same", "likes": 10}),
        )
        assert run_silver(tables, "social") == (2 if number == 0 else 1)
        refresh(tables, plan_changed(tables), here)
    assert plan_changed(tables) == {}
    assert [plan_silver(tables, kind) for kind in KINDS] == [None, None]
    assert first_new(tables, mark) == START
    before = query(tables.root, asked).rows()
    assert before == [(11, 1)]

    lost = write_parts(NAME, tables.path(NAME), bronze("social", {"event_id": "of a killed writer"}))
    done = {table.table: table for table in maintain(tables, LakeSettings(vacuum_hours=0))}
    assert done[NAME].files_before == 2
    assert done[NAME].files_after == 1
    assert done[NAME].files_deleted == 3
    assert not tables_hold(tables, lost[0].path)
    assert query(tables.root, asked).rows() == before
    assert not any(planned.days for planned in plan_changed(tables).values())


def tables_hold(tables: LakeTables, path: str) -> bool:
    """Whether the file is there, in a commit or not."""
    files = log_store(tables.table(NAME), tables.options)
    return bool(files.get_file_info(path).type == FileType.File)


def test_a_kol_is_erased_with_all_older_versions(tables: LakeTables) -> None:
    trace = Trace("k1")
    for n in range(3):
        add(
            tables, NAME, bronze("social", {"event_id": f"a{n}", "kol_id": "k1"}, {"event_id": f"b{n}", "kol_id": "k2"})
        )
    tables.table(NAME).create_checkpoint()
    write_parts("bronze.web", tables.path("bronze.web"), bronze("web", {"kol_id": "k1"}))
    assert {table_of(path) for path in files_with(tables, trace)} == {NAME, "bronze.web"}
    assert erase_rows(tables.table(NAME), trace).rows == 3
    assert purge(tables, NAME) > 6
    assert delete_abandoned(tables, files_with(tables, trace)) == 1, "no commit ever named it"
    assert files_with(tables, trace) == []
    assert tables.scan(NAME).collect()["kol_id"].to_list() == ["k2"] * 3
    add(tables, NAME, bronze("social", {"kol_id": "k3"}))
    assert tables.scan(NAME).collect().height == 4


def test_an_erasure_works_alone(tables: LakeTables) -> None:
    with lake_job(tables.root), lake_job(tables.root), pytest.raises(ConflictError, match="nothing was erased"):
        alone(tables.root, wait_s=0).__enter__()
    with alone(tables.root, wait_s=0), pytest.raises(ConflictError):
        alone(tables.root, wait_s=0).__enter__()
    with alone(tables.root, wait_s=0):
        assert tables.names() == []


def test_a_journal_and_what_it_remembers(tables: LakeTables) -> None:
    clock = SystemClock()
    assert Journal(tables, "night", clock).once("step", lambda: {"rows": 3}).detail == {"rows": 3}
    assert Journal(tables, "night", clock).once("step", dict).before


def test_writers_at_the_same_moment_lose_nothing_and_double_nothing(tables: LakeTables) -> None:
    """Of three that make the table two read the same; then two go on, each by itself."""
    first, second, other = at_once(*(lambda n=n: read_to(tables, {n: 2}, {n: None}) for n in (0, 0, 1)))
    assert (sorted([first, second]), other) == ([False, True], True)
    ends = range(3, 7)
    alone = [lambda n=n: [read_to(tables, {n: end}, {n: end - 1}) for end in ends] for n in (0, 1)]
    assert at_once(*alone) == [[True] * len(ends)] * 2
    held = tables.scan(NAME).select("partition", "offset").collect()
    assert sorted(held.rows()) == [(partition, offset) for partition in (0, 1) for offset in range(6)]
    assert len(files_under(tables.path(NAME))) == 2 + 2 * len(ends), "no file is left that was not committed"


def test_processes_that_race_for_one_source_in_a_bucket_add_each_row_once(s3: S3Settings) -> None:
    tables = LakeTables(bucket(s3))
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), **aws_variables(s3)}
    command = [sys.executable, "-c", RACER, str(tables.root), "5"]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(2)]
    won = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(won) == 5
    assert sorted(tables.scan(NAME).select("offset").collect()["offset"]) == list(range(5))


def files_under(folder: Place) -> list[str]:
    """Data files in a table's folder, committed or not."""
    return [path for path in every_file(folder)[1] if path.endswith(".parquet")]


def test_work_done_twice_is_there_once(tables: LakeTables) -> None:
    frame = bronze("social", {})
    first, second = (write_parts(NAME, tables.path(NAME), frame) for _ in range(2))
    assert commit_parts(NAME, tables.path(NAME), SCHEMA, first, {"s": Advance(None, 1)})
    assert not commit_parts(NAME, tables.path(NAME), SCHEMA, second, {"s": Advance(None, 1)})
    assert tables.scan(NAME).collect().height == 1
    assert not tables_hold(tables, second[0].path)
    discard(tables.path(NAME), second)


def test_a_commit_whose_answer_was_lost_keeps_its_files_when_it_is_tried_again(tables: LakeTables) -> None:
    add(tables, NAME, bronze("social", {"event_id": "first"}))
    parts = write_parts(NAME, tables.path(NAME), bronze("social", {"event_id": "second"}))
    for _ in range(2):
        assert commit_parts(NAME, tables.path(NAME), SCHEMA, parts, {"s": Advance(None, 1)})
    assert tables.scan(NAME).collect().height == 2


def test_a_lost_answer_to_a_commit_loses_and_doubles_nothing(s3: S3Settings) -> None:
    """The store takes the commit and nobody hears of it: its writer looks before it takes it for somebody else's."""
    tables = LakeTables(bucket(s3))
    read_to(tables, {0: 1}, {0: None})
    lose_answer(s3, "_delta_log/")
    assert read_to(tables, {0: 2}, {0: 1})
    lose_answer(s3, "_delta_log/")
    assert Journal(tables, "night", SystemClock()).once("step", lambda: {"rows": 3}).detail == {"rows": 3}
    assert tables.scan("ops.steps").collect().height == 1
    assert sorted(tables.scan(NAME).collect()["offset"]) == [0, 1]
    assert len(files_under(tables.path(NAME))) == 2


def test_a_store_that_is_busy_is_asked_again(s3: S3Settings) -> None:
    tables = LakeTables(bucket(s3))
    for of in ("list-type=2", "00000.json", "part-", "00001.json", "00001.json"):
        be_busy(s3, of)
    for end in (1, 2):
        assert read_to(tables, {0: end}, {0: end - 1 or None})
    for of in ("list-type=2", "_delta_log", "part-", "part-"):
        be_busy(s3, of)
        assert tables.scan(NAME).collect().height == 2
        be_busy(s3, of)
        assert query(tables.root, f"SELECT count(*) FROM {NAME}").item() == 2  # noqa: S608


def test_a_file_of_several_parts_comes_back_whole(root: Place) -> None:
    written = os.urandom(2 * PART + 1)
    file = new_file(root, "dt=2026-01-05/part-0.parquet")
    with file.open("wb") if isinstance(file, Path) else nullcontext(file) as out:
        for start in range(0, len(written), 1 << 20):
            out.write(written[start : start + (1 << 20)])
    assert close_file(file) == len(written)
    store, [path] = every_file(root)
    with store.open_input_stream(path) as stream:
        assert stream.read() == written


def test_nothing_is_there_yet(tables: LakeTables) -> None:
    assert tables.names() == []
    assert not tables.exists(NAME)
    assert tables.scan(NAME).collect().height == 0
    write_parts(NAME, tables.path(NAME), bronze("social", {}))
    assert tables_under(tables.root) == []
    with pytest.raises(NotFoundError, match=str(tables.root)):
        tables.table(NAME)


def test_a_store_that_is_away_and_a_missing_bucket_say_which(s3: S3Settings) -> None:
    away = Place("s3://lake/x", s3.model_copy(update={"endpoint": "http://127.0.0.1:9"}))
    for place, told in ((away, r"127\.0\.0\.1:9"), (Place("s3://nowhere/x", s3), "KOLRAY_LAKE__ROOT .s3://nowhere/x")):
        for act in (is_table, tables_under, lambda folder: delete(folder, ["file"])):
            with pytest.raises(ServiceUnavailableError, match=told):
                act(place)


@pytest.mark.parametrize(
    "address",
    [
        "s3:///prefix",
        "gs://bucket/x",
        "s3://b/a lake",
        "s3://b/day=1",
        "s3://b/a%20b",
        "s3://b/ü",
        "s3://b//x",
        "s3://b#x",
    ],
)
def test_an_address_that_is_no_bucket_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match=r"KOLRAY_LAKE__ROOT .*s3://BUCKET/PREFIX"):
        LakeTables(address)


def test_keys_and_endpoint_may_come_from_the_usual_variables(s3: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_variables(s3).items():
        monkeypatch.setenv(name, value)
    tables = LakeTables(f"s3://lake/{secrets.token_hex(4)}")
    add(tables, NAME, bronze("social", {}))
    assert query(tables.root, f"SELECT count(*) FROM {NAME}").item() == 1  # noqa: S608
    assert tables.names() == [NAME]


def test_keys_are_not_shown(s3: S3Settings) -> None:
    assert "secret'" not in repr(bucket(s3)) + str(bucket(s3))
