"""`kolray features` and the arguments of `kolray lake gold`."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.errors import InvalidInputError
from kolray.features import FEATURE_NAMES
from kolray.lake.tables import LakeTables
from tests.unit.lake.rows import START, add, silver


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose silver knows an engagement at once and a comment a day late."""
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path))
    tables = LakeTables(str(tmp_path / "lake"))
    late = {"event_type": "comment", "text": "hi", "author_id": "a", "available_at": START + timedelta(days=1)}
    rows = silver("social", {"likes": 1, "impressions": 4}, late | {"s": 9}, late | {"kol_id": "k2", "s": 10})
    add(tables, "silver.social", rows)
    return tmp_path


def features(*arguments: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["features", "--as-of", "2026-01-05T12:00:00Z", "--output", "json", *arguments])
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


@pytest.mark.usefixtures("home")
def test_a_table_of_many_columns_has_a_line_for_each() -> None:
    done = CliRunner().invoke(app, ["features", "--as-of", "2026-01-06T12:00:00Z"])
    assert done.exit_code == 0, done.output
    assert re.search(r"kol_id +. k1 +. k2 ", done.stdout)
    assert re.search(r"engagement_rate +. 0.25", done.stdout)


@pytest.mark.usefixtures("home")
def test_features_are_as_known_at_a_time() -> None:
    (at_once,) = features()
    assert (at_once["kol_id"], at_once["engagement_rate"], at_once["comments_per_day"]) == ("k1", 0.25, None)
    later, other = features("--known-at", "2026-01-06T10:00:00Z")
    assert later["comments_per_day"] > 0
    assert other["kol_id"] == "k2"


@pytest.mark.usefixtures("home")
def test_features_of_one_kol_are_what_they_are_among_all() -> None:
    known_at = ("--known-at", "2026-02-01")
    assert features("--kol", "k2", *known_at) == features(*known_at)[1:]


def test_features_of_a_file_of_events_without_a_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path))
    rows = [
        {"KOL": "k1", "platform": "x", "event_type": "engagement", "event_time": "2026-01-05T10:00:00Z", "likes": n}
        for n in (3, -1)
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row | {"impressions": 4}) + "\n" for row in rows))
    command = ["features", "--events", str(tmp_path / "mine.jsonl"), "--map", "kol_id=KOL", "--output", "json"]
    done = CliRunner().invoke(app, [*command, "--as-of", "2026-01-06"])
    assert "1 bad rows were left out" in done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["kol_id"], row["engagement_rate"], row["followers"]) == ("k1", 0.75, None)
    refused = CliRunner().invoke(app, [*command, "--known-at", "2026-01-06"])
    assert "--known-at is for the lake" in str(refused.exception)


def test_the_list_says_what_each_feature_means() -> None:
    rows = json.loads(CliRunner().invoke(app, ["features", "--list", "--output", "json"]).stdout)
    assert [row["name"] for row in rows] == list(FEATURE_NAMES)
    assert all(row["meaning"] and row["null when"] and " … " in row["range"] for row in rows)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--to", "2026-01-05"], "say with --from where it begins"),
        (["--from", "2026-01-05", "--as-of", "2026-01-05"], "leave --as-of away"),
        (["--from", "yesterday"], "'yesterday' is no day, e.g. 2026-01-31"),
        (["--from", "2026-01-06", "--to", "2026-01-05"], "give the earlier day as --from"),
    ],
)
def test_ranges_that_are_none_say_what_to_write(arguments: list[str], advice: str) -> None:
    done = CliRunner().invoke(app, ["lake", "gold", *arguments])
    assert isinstance(done.exception, InvalidInputError)
    assert advice in str(done.exception)
