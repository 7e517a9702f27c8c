"""A real Trino over the lake: it knows every table, sees what is new, and answers the questions as DuckDB does."""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from trino.exceptions import TrinoUserError
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.clock import SystemClock
from kolray.errors import ServiceUnavailableError
from kolray.features import FEATURE_NAMES
from kolray.lake.erasure.purge import purge
from kolray.lake.erasure.rows import erase_rows
from kolray.lake.erasure.trace import Trace
from kolray.lake.journal import Journal
from kolray.lake.maintenance import maintain
from kolray.lake.queries import Query, queries
from kolray.lake.sql import query
from kolray.lake.tables import LakeTables
from kolray.lake.trino import catalog, register
from kolray.local import status
from kolray.local.jars import java
from kolray.local.trino import MIN_JAVA, ask, start_trino, stop_trino
from kolray.serving.feature_sources import LakeSource, TrinoSource
from kolray.settings import LakeSettings, Place, S3Settings
from kolray.testing.clock import FakeClock
from tests.lakes import make_lake
from tests.listening import beyond_loopback, listeners

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeTables:
    return make_lake(str(tmp_path_factory.mktemp("trino") / "lake"))


@pytest.fixture(scope="module")
def address(lake: LakeTables) -> Iterator[str]:
    """Where the Trino answers that knows the lake."""
    with _trino(Path(lake.root).parent, lake) as started:
        yield started


@contextmanager
def _trino(home: Path, lake: LakeTables) -> Iterator[str]:
    try:
        java(MIN_JAVA, or_newer=True)
    except ServiceUnavailableError as missing:
        pytest.skip(f"Trino needs Java {MIN_JAVA} or newer: {missing}")
    started = start_trino(home, catalog(lake.root), owner_pid=os.getpid())
    try:
        register(lake, started)
        yield started
    finally:
        stop_trino(home)


@pytest.mark.parametrize("asked", queries(), ids=lambda asked: asked.name)
def test_both_engines_answer_a_question_alike(asked: Query, lake: LakeTables, address: str) -> None:
    _check_alike(asked, lake, address)


def test_it_listens_on_loopback_alone(lake: LakeTables, address: str) -> None:
    found = [listeners(psutil.Process(each.pid)) for each in status(Path(lake.root).parent) if each.address == address]
    assert [beyond_loopback(told) for told in found if told] == [{}]


def test_it_knows_every_table_with_its_rows(lake: LakeTables, address: str) -> None:
    counts = {name: f"SELECT count(*) FROM {name}" for name in lake.names()}  # noqa: S608
    held = {name: query(lake.root, sql).item() for name, sql in counts.items()}
    assert {name.partition(".")[0] for name in held} >= {"bronze", "silver", "gold", "ref"}
    assert {name: ask(address, sql)[0][0] for name, sql in counts.items()} == held


def test_serving_finds_the_features_there_that_the_files_have(lake: LakeTables, address: str) -> None:
    trino, files = TrinoSource(address), LakeSource(lake)
    kols = lake.scan("gold.features").select("kol_id").unique().collect()["kol_id"].sort()
    for kol_id in kols.head(5):
        found, expected = trino.read(kol_id), files.read(kol_id)
        assert found is not None
        assert expected is not None
        assert (found.source, found.as_of) == ("trino", expected.as_of)
        assert {name: found.values[name] for name in FEATURE_NAMES} == {
            name: expected.values[name] for name in FEATURE_NAMES
        }
    assert trino.read("nobody' OR kol_id <> '") is None


def test_it_sees_new_rows_at_once_and_new_tables_by_the_command(
    lake: LakeTables, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(Path(lake.root).parent))
    for n in (1, 2):
        Journal(lake, f"night {n}", FakeClock()).once("gold", lambda: {"rows": 3})
        told = json.loads(CliRunner().invoke(app, ["local", "trino", "--json"], catch_exceptions=False).stdout)
        assert (told["address"], told["new"]) == (address, ["ops.steps"] if n == 1 else [])
        assert ask(address, "SELECT count(*), max(run) FROM ops.steps") == [[n, f"night {n}"]]


def test_analysts_read_and_only_kolray_writes(address: str) -> None:
    assert ask(address, "SELECT count(*) FROM ref.kols", user="analyst")[0][0] > 0
    with pytest.raises(TrinoUserError, match="Access Denied"):
        ask(address, "DELETE FROM ref.kols", user="analyst")


def test_it_reads_on_after_an_erasure_and_maintenance(lake: LakeTables, address: str) -> None:
    of_all = "SELECT count(*) FROM silver.social"
    of_one = f"{of_all} WHERE kol_id = 'kol-0001'"
    gone, before = ask(address, of_one)[0][0], ask(address, of_all)[0][0]
    assert erase_rows(lake.table("silver.social"), Trace("kol-0001")).rows == gone > 0
    purge(lake, "silver.social")  # versions, files and log entries that Trino may remember are no more
    assert (ask(address, of_one), ask(address, of_all)) == ([[0]], [[before - gone]])
    list(maintain(lake, LakeSettings(vacuum_hours=0), SystemClock()))
    assert ask(address, of_all) == [[before - gone]]


def test_a_lake_in_a_bucket_is_read_alike(s3: S3Settings, tmp_path: Path) -> None:
    lake = make_lake(Place(f"s3://lake/{secrets.token_hex(4)}/deep", s3))
    with _trino(tmp_path, lake) as address:
        for asked in queries():
            _check_alike(asked, lake, address)


def _check_alike(asked: Query, lake: LakeTables, address: str) -> None:
    embedded = query(lake.root, asked.sql).rows()
    assert embedded, asked.name
    assert _differences(embedded, ask(address, asked.sql)) == [], asked.name


def _differences(one: list[tuple[Any, ...]], other: list[list[Any]]) -> list[str]:
    """Rows that differ; floats may by 1e-9 of their size."""
    if len(one) != len(other):
        return [f"{len(one)} rows against {len(other)}"]
    pairs = zip(one, other, strict=True)
    return [f"{a} against {b}" for a, b in pairs if len(a) != len(b) or not all(map(_alike, a, b))]


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and one == other
