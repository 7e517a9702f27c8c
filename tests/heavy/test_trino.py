"""A real Trino over the lake: it knows every table, sees what is new, and answers the questions as DuckDB does."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trino.exceptions import TrinoUserError
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.errors import ServiceUnavailableError
from kolray.lake.journal import Journal
from kolray.lake.queries import Query, queries
from kolray.lake.sql import query
from kolray.lake.tables import LakeTables
from kolray.lake.trino import register
from kolray.local.jars import java
from kolray.local.trino import MIN_JAVA, ask, start_trino, stop_trino
from kolray.testing.clock import FakeClock
from tests.lakes import make_lake

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeTables:
    return make_lake(str(tmp_path_factory.mktemp("trino") / "lake"))


@pytest.fixture(scope="module")
def address(lake: LakeTables) -> Iterator[str]:
    """Where the Trino answers that knows the lake."""
    try:
        java(MIN_JAVA, or_newer=True)
    except ServiceUnavailableError as missing:
        pytest.skip(f"Trino needs Java {MIN_JAVA} or newer: {missing}")
    home = Path(lake.root).parent
    started = start_trino(home, Path(lake.root), owner_pid=os.getpid())
    try:
        register(lake, started)
        yield started
    finally:
        stop_trino(home)


@pytest.mark.parametrize("asked", queries(), ids=lambda asked: asked.name)
def test_both_engines_answer_a_question_alike(asked: Query, lake: LakeTables, address: str) -> None:
    embedded = query(lake.root, asked.sql).rows()
    assert embedded
    assert _differences(embedded, ask(address, asked.sql)) == []


def test_it_knows_every_table_with_its_rows(lake: LakeTables, address: str) -> None:
    counts = {name: f"SELECT count(*) FROM {name}" for name in lake.names()}  # noqa: S608
    held = {name: query(lake.root, sql).item() for name, sql in counts.items()}
    assert {name.partition(".")[0] for name in held} >= {"bronze", "silver", "gold", "ref"}
    assert {name: ask(address, sql)[0][0] for name, sql in counts.items()} == held


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
