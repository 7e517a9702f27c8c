"""The registry on a real MLflow store, and training as Ray tasks from a lake to a champion."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.clock import SystemClock
from kolray.errors import NotFoundError, PromotionRefusedError
from kolray.features import FEATURES, compute_features
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.tables import LakeTables
from kolray.models.audit import history
from kolray.models.lifecycle import promote, submit
from kolray.models.lifecycle import train as fit
from kolray.models.registry import EXPERIMENT, ModelRegistry
from kolray.models.retrain import judge_due, retrain
from kolray.models.sentiment import current_classifier
from kolray.models.sentiment.corpus import make_corpus
from kolray.models.sentiment.labelled import Labelled
from kolray.models.sentiment.trained import train_sentiment
from kolray.models.trainers import train_on_ray
from kolray.models.watch import watch_models
from kolray.settings import Settings
from kolray.stores.open import open_metrics_store
from kolray.testing.clock import FakeClock
from tests.hourly import kpi_hourly
from tests.silver import START, silver_world

AS_OF = START + timedelta(hours=96)


MOVED = ("followers", "gain_per_impression", "spam_share")
"""Features that scores depend on."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("lake")
    social, web = silver_world(n_kols=240, events_per_kol=60)
    features = compute_features(social.lazy(), web.lazy(), AS_OF)
    features.write_delta(str(root / "gold" / "features"))
    kpi_hourly(n_kols=60).write_delta(str(root / "gold" / "kpi_hourly"))
    kols = features.select("kol_id", number=pl.col("kol_id").str.slice(4).cast(pl.Int64))
    labels = kols.select("kol_id", label=(pl.col("number") % 3 == 0).cast(pl.Int8), source=pl.lit("test"), at="number")
    labels = labels.with_columns(at=pl.lit(START).cast(pl.Datetime("ms", "UTC")), valid_from=pl.lit(START))
    labels.write_delta(str(root / "ref" / "labels"))
    return str(root)


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> ModelRegistry:
    home = tmp_path_factory.mktemp("mlflow")
    return ModelRegistry(f"sqlite:///{home / 'mlflow.db'}", str(home / "artifacts"))


@pytest.mark.parametrize("kind", ["trust", "success"])
def test_the_first_model_becomes_champion_and_the_same_again_is_refused(kind, lake, registry):
    assert registry.alias_version(kind) is None
    with pytest.raises(NotFoundError, match="kolray models train"):
        registry.load(kind)
    trained = fit(kind, lake)
    first = submit(registry, kind, trained)
    assert first.promoted
    assert registry.alias_version(kind) == first.version == 1
    loaded = registry.load(kind)
    assert loaded.model.version == trained.model.version
    assert loaded.label == f"{kind}:1"
    second = submit(registry, kind, trained)
    assert not second.promoted
    assert registry.alias_version(kind) == 1
    assert registry.alias_version(kind, "challenger") == 2
    with pytest.raises(PromotionRefusedError):
        promote(registry, kind)
    assert [(row["version"], row["reason"]) for row in history(registry, kind)] == [(1, first.reason)]


def test_a_success_version_keeps_its_card_plots_curves_and_where_it_comes_from(registry):
    client, _ = registry.experiment(EXPERIMENT)
    run = client.get_run(client.get_model_version("success", "1").run_id)
    tags = registry.tags("success", 1)
    assert json.loads(tags["data_version"]) == {"gold.kpi_hourly": 0, "gold.features": 0}
    assert (tags["seed"], tags["beats_baseline"]) == ("7", "True")
    assert {"lightgbm", "prophet"} < set(json.loads(tags["libraries"]))
    figures = run.data.metrics
    assert figures["engagement_mase"] < figures["engagement_baseline_mase"]
    hours = client.get_metric_history(run.info.run_id, "engagement_smape_by_hour")
    assert [point.step for point in sorted(hours, key=lambda point: point.step)] == list(range(1, 25))
    assert {file.path for file in client.list_artifacts(run.info.run_id, "plots")} == {
        "plots/forecast.png",
        "plots/horizons.png",
    }
    assert "card.md" in {file.path for file in client.list_artifacts(run.info.run_id)}


def test_a_loaded_champion_scores_bit_for_bit_as_the_trained(lake, registry):
    features = pl.read_delta(f"{lake}/gold/features")
    trained = fit("trust", lake)
    assert_frame_equal(registry.load("trust").model.score(features), trained.model.score(features), check_exact=True)


@pytest.mark.usefixtures("cluster")
def test_ray_tasks_train_both_kinds_to_the_same_models(lake, tmp_path):
    own = ModelRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path / "artifacts"))
    done = train_on_ray(["trust", "success"], lake, own)
    with pytest.raises(NotFoundError, match="kolray lake gold"):
        train_on_ray(["trust"], str(tmp_path / "nowhere"), own)
    assert all(submission.promoted for submission in done.values())
    assert own.load("trust").model.version == fit("trust", lake).model.version


@pytest.mark.usefixtures("cluster")
def test_the_night_retrains_when_features_drift_and_not_again_after_a_refusal(lake, embedded, tmp_path):
    root = str(shutil.copytree(lake, tmp_path / "lake"))
    settings = embedded.model_copy(update={"lake": embedded.lake.model_copy(update={"root": root})})
    clock = SystemClock()
    first = retrain(settings, clock, "trust")
    assert (first["because"], first["version"], first["promoted"]) == ("never trained", 1, True)
    assert first["published"] == 240
    again = retrain(settings, clock, "trust")
    assert "no feature drifted" in again["skipped"]
    assert again["published"] == 240

    later = pl.col("as_of") + timedelta(hours=1)
    moved = pl.read_delta(f"{root}/gold/features").with_columns(later, pl.col(*MOVED) * 5 + 3)
    moved.write_delta(f"{root}/gold/features", mode="append")
    _check_that_the_night_says_so(settings, clock)
    second = retrain(settings, clock, "trust")
    assert second["because"].startswith("drifted (PSI): ")
    assert all(name in second["because"] for name in MOVED)
    assert second["version"] == 2
    assert not second["promoted"], "the labels depend on nothing that moved"
    assert "refused" in retrain(settings, clock, "trust")["skipped"]

    old = FakeClock(clock.now() + timedelta(days=8))
    assert judge_due(ModelRegistry.of(settings), "trust", root, settings.models, old)[0]


def _check_that_the_night_says_so(settings: Settings, clock: SystemClock) -> None:
    """One alert however often it looks: in the store and in the topic, with a row a feature in the lake."""
    for _ in range(2):
        told = watch_models(settings, clock)
    assert told["trust"]["model"] == "trust:1"
    assert told["trust"]["alerts"] == ["feature_drift", "score_drift"]
    assert "skipped" in told["success"]
    tables = LakeTables(settings.lake_root)
    rows = tables.scan("ops.drift").collect()
    assert dict(rows["kind"].value_counts().iter_rows()) == {"auc": 2, "feature": len(FEATURES), "score": 1}
    assert set(rows.filter("drifted")["name"]) == {*MOVED, "trust_score"}
    store = open_metrics_store(settings)
    alerts = store.alerts(clock.now() - timedelta(hours=1))
    store.close()
    assert sorted(alerts.select("rule", "kol_id").rows()) == [(rule, "model:trust") for rule in told["trust"]["alerts"]]
    home = {"KOLRAY_HOME": str(settings.home), "KOLRAY_LAKE__ROOT": str(settings.lake.root)}
    shown = CliRunner().invoke(app, ["models", "drift", "--json"], env=home)
    assert [look["model"] for look in json.loads(shown.stdout)] == ["trust:1"]
    [evidence] = alerts.filter(rule="feature_drift")["evidence"]
    assert json.loads(evidence)["psi"].keys() == set(MOVED)
    run_bronze(settings)
    assert sorted(tables.scan("bronze.alerts").collect()["alert_id"]) == sorted(alerts["alert_id"])


def test_a_sentiment_champion_judges_as_it_was_trained(registry, monkeypatch):
    monkeypatch.setattr("kolray.models.sentiment.fit.MAX_WORDS", 0)  # n-grams alone: quick
    data = Labelled(make_corpus(240, seed=3).select("text", "label"), 0)
    trained = train_sentiment(data, None, seed=7)
    submission = submit(registry, "sentiment", trained)
    assert submission.promoted
    assert registry.tags("sentiment", submission.version)["digest"] == trained.model.version
    champion = current_classifier(registry)
    assert champion.version == trained.model.version
    texts = trained.test.frame["text"]
    assert champion.classify(texts).to_list() == trained.model.classify(texts).to_list()
    assert not submit(registry, "sentiment", trained).promoted
