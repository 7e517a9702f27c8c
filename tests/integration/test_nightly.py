"""The night's work on the embedded profile: it fails at a step, goes on there, and does nothing twice.

Its lake is a folder or a bucket.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.connectors.generator import WorldConfig, build_world
from kolray.errors import ServiceUnavailableError
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.gold_pipeline import run_gold
from kolray.lake.journal import NAME
from kolray.lake.silver_pipeline import run_silver
from kolray.lake.tables import LakeTables
from kolray.lake.world import send_world
from kolray.models.nightly import nightly
from kolray.settings import S3Settings, Settings, load_settings
from kolray.stores.open import open_feature_store

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.heavy)])
def settings(request: pytest.FixtureRequest, embedded: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As a command finds them in the environment, too."""
    monkeypatch.setenv("KOLRAY_HOME", str(embedded.home))
    if request.param == "folder":
        return embedded
    s3: S3Settings = request.getfixturevalue("s3")
    monkeypatch.setenv("KOLRAY_LAKE__ROOT", "s3://lake/night")
    monkeypatch.setenv("KOLRAY_S3__ENDPOINT", str(s3.endpoint))
    monkeypatch.setenv("KOLRAY_S3__REGION", "us-east-1")
    monkeypatch.setenv("KOLRAY_S3__ACCESS_KEY_ID", "key")
    monkeypatch.setenv("KOLRAY_S3__SECRET_ACCESS_KEY", "secret")
    return load_settings(home=embedded.home)


def _send(settings: Settings, seed: int) -> None:
    end = datetime.now(UTC) - timedelta(hours=2)
    send_world(settings, build_world(WorldConfig(n_kols=30, hours=6, seed=seed, end=end)))


def test_a_night_goes_on_where_it_failed_and_does_nothing_twice(settings: Settings) -> None:
    _send(settings, seed=3)
    tables, night = LakeTables(settings.lake_root), datetime.now(UTC).date()
    without_redis = settings.model_copy(
        update={"redis": settings.redis.model_copy(update={"url": "redis://127.0.0.1:9/0"})}
    )
    begun: list[str] = []
    with pytest.raises(ServiceUnavailableError, match="Redis"):
        list(nightly(without_redis, night, started=begun.append))
    done = begun[:-1]
    assert done == ["bronze", "silver", "gold", "scores"]

    versions = {name: tables.table(name).version() for name in ("bronze.social", "silver.social", "gold.features")}
    rest = {step.name: step for step in nightly(settings, night, started=lambda _: None)}
    assert [name for name, step in rest.items() if step.before] == done
    assert rest["features"].detail["features"] == 30
    assert "skipped" in rest["retrain trust"].detail, "thirty KOLs are too few to train on"
    assert open_feature_store(settings.redis).get_features("kol_000001")
    failed = tables.scan(NAME).filter(~pl.col("ok")).select("step").collect()["step"].to_list()
    assert failed == ["features"]

    told = CliRunner().invoke(app, ["lake", "nightly", "--night", str(night), "--json"], catch_exceptions=False)
    assert all(step["before"] for step in json.loads(told.stdout).values())
    assert all(tables.table(name).version() >= version for name, version in versions.items())
    _check_that_new_rows_are_refined_once(settings, tables)


def _check_that_new_rows_are_refined_once(settings: Settings, tables: LakeTables) -> None:
    """After maintenance nothing is new; then what arrives is read once."""
    assert run_silver(settings) == {}
    assert set(run_gold(settings)) == {"gold.features"}
    held = tables.scan("silver.social").collect().height
    _send(settings, seed=4)
    bronze = run_bronze(settings)
    silver = run_silver(settings)
    assert 0 < silver["silver.social"] <= bronze["bronze.social"]
    assert run_silver(settings) == {}
    events = tables.scan("silver.social").select("event_id").collect()["event_id"]
    assert events.n_unique() == events.len() == held + silver["silver.social"]
    shown = CliRunner().invoke(app, ["lake", "maintain"], catch_exceptions=False)
    assert "silver.social" in shown.stdout
    shown = CliRunner().invoke(app, ["lake", "maintain"], catch_exceptions=False)
    assert "nothing to do in" in shown.stdout
