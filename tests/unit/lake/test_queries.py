"""The canned queries: twenty of them, each a question, and all answered by the embedded engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.errors import NotFoundError
from kolray.lake.queries import Query, find_query, queries
from kolray.lake.sql import query
from kolray.settings import Place
from tests.lakes import make_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_lake(str(tmp_path_factory.mktemp("queries") / "lake")).root


@pytest.fixture
def in_home(lake: Place, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("KOLRAY_HOME", str(Path(lake).parent))
    monkeypatch.setenv("COLUMNS", "120")
    return CliRunner()


def test_there_are_twenty_questions_in_words() -> None:
    assert len(queries()) == 20
    assert all(query.question.endswith("?") and query.sql.startswith(("SELECT", "WITH")) for query in queries())
    layers = {table.partition(".")[0] for query in queries() for table in query.tables}
    assert layers == {"bronze", "silver", "gold", "ref"}


@pytest.mark.parametrize("asked", queries(), ids=lambda asked: asked.name)
def test_every_query_has_an_answer(asked: Query, lake: Place) -> None:
    assert query(lake, asked.sql).height > 0


def test_a_query_is_found_by_its_name() -> None:
    assert find_query("intake").tables == ("bronze.social",)
    with pytest.raises(NotFoundError, match="there are arrival_delay"):
        find_query("absent")


def test_the_list_says_what_a_lake_lacks(in_home: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = in_home.invoke(app, ["lake", "queries"], catch_exceptions=False).stdout
    assert "Who has been silent for longest?" in listed
    assert "needs" not in listed
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path))
    assert "(needs bronze.social)" in in_home.invoke(app, ["lake", "queries"], catch_exceptions=False).stdout


def test_one_is_run_or_shown(in_home: CliRunner) -> None:
    told = in_home.invoke(app, ["lake", "queries", "top_kols", "--output", "csv"], catch_exceptions=False)
    assert told.stdout.startswith("kol_id,platform,reactions")
    told = in_home.invoke(app, ["lake", "queries", "top_kols", "--sql"], catch_exceptions=False)
    assert told.stdout.startswith("SELECT")
