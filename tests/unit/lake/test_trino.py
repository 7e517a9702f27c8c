"""What a Trino is told about the lake; that it then answers is tested in tests/heavy."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.errors import NotFoundError, SettingsError
from kolray.lake.journal import Journal
from kolray.lake.tables import LakeTables
from kolray.lake.trino import catalog
from kolray.settings import Place, S3Settings
from kolray.testing.clock import FakeClock


def _lines(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_a_catalog_over_a_folder_names_it_as_its_root() -> None:
    told = _lines(catalog(Place("/data/lake")))
    assert (told["local.location"], told["hive.metastore.catalog.dir"]) == ("/data/lake", "local:///.trino")
    assert "fs.native-s3.enabled" not in told


def test_a_catalog_over_a_bucket_has_what_settings_give_and_leaves_the_rest_to_the_environment() -> None:
    keys = {"access_key_id": SecretStr("key"), "secret_access_key": SecretStr("secret")}
    told = _lines(catalog(Place("s3://b/lake", S3Settings(endpoint="http://store:9000", region="eu", **keys))))
    given = ("s3.endpoint", "s3.region", "s3.aws-access-key", "s3.aws-secret-key", "s3.path-style-access")
    assert [told[key] for key in given] == ["http://store:9000", "eu", "key", "secret", "true"]
    assert told["hive.metastore.catalog.dir"] == "s3://b/lake/.trino"
    assert _lines(catalog(Place("s3://b/lake"))).keys() & set(given) == {"s3.path-style-access"}


def test_a_session_token_of_the_settings_is_refused_with_the_way_out() -> None:
    with pytest.raises(SettingsError, match="AWS_SESSION_TOKEN"):
        catalog(Place("s3://b/lake", S3Settings(session_token=SecretStr("token"))))


def test_the_command_prints_the_statements_for_another_trino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path))
    with pytest.raises(NotFoundError, match="no tables yet"):
        CliRunner().invoke(app, ["local", "trino"], catch_exceptions=False)
    Journal(LakeTables(str(tmp_path / "lake")), "night", FakeClock()).once("gold", dict)
    told = CliRunner().invoke(app, ["local", "trino", "--statements", "s3://b/lake"], catch_exceptions=False)
    assert told.stdout.splitlines() == [
        "CREATE SCHEMA IF NOT EXISTS lake.ops WITH (location = 's3://b/lake/ops');",
        "CALL lake.system.register_table('ops', 'steps', 's3://b/lake/ops/steps');",
    ]
    told = CliRunner().invoke(app, ["local", "trino", "--stop"], catch_exceptions=False)
    assert told.stdout == "no trino was running here\n"
