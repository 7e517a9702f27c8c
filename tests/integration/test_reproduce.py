"""A past score and a past training, made again from what the registry and the lake kept of them."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.scores import copy_scores
from kolray.lake.tables import LakeTables
from kolray.models.ablation import ablate_version
from kolray.models.lifecycle import newest_features, submit, train
from kolray.models.provenance import feature_schema
from kolray.models.publish import score_all
from kolray.models.registry import ModelRegistry
from kolray.models.reproduce import reproduce
from kolray.stores.metrics import SCORE_SCHEMA
from kolray.stores.open import open_metrics_store
from kolray.testing.clock import FakeClock
from kolray.testing.stores import MemoryStore
from tests.integration.test_tuning import AT, lake_at


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A champion and its scores: in the lake, and of the newest KOL in the metrics store alone."""
    home = tmp_path_factory.mktemp("home")
    settings = lake_at(home, n=300)
    registry = ModelRegistry.of(settings)
    submit(registry, "trust", train("trust", settings.lake_root))
    store = open_metrics_store(settings)
    store.migrate()
    scores = score_all(newest_features(settings.lake_root), registry.load("trust"), FakeClock())
    store.upsert_scores(scores[:-1])
    copy_scores(LakeTables(settings.lake_root), store)
    store.upsert_scores(scores[-1:])
    store.close()
    return home


def _parts(home: Path) -> tuple[ModelRegistry, LakeTables]:
    return ModelRegistry(f"sqlite:///{home / 'mlflow.db'}", str(home / "artifacts")), LakeTables(str(home / "lake"))


def _score(lake: LakeTables, kol_id: str) -> pl.DataFrame:
    """As a store takes it."""
    return lake.scan("gold.scores").filter(kol_id=kol_id).drop("dt").collect().cast(pl.Schema(SCORE_SCHEMA))


def test_every_score_of_the_lake_is_made_again_bit_for_bit(home: Path) -> None:
    registry, lake = _parts(home)
    rows = lake.scan("gold.scores").collect()
    assert rows.height == 299
    made = [reproduce(registry, lake, MemoryStore(), kol) for kol in rows["kol_id"][::75]]
    assert all(one.same and one.held.keys() >= {"trust_score", "lower", "upper", "probability"} for one in made)
    assert {(one.source, one.model, one.as_of) for one in made} == {("gold.scores", "trust:1", AT)}
    assert all(one.libraries == {} for one in made)


def test_the_command_finds_a_score_that_only_the_store_has(home: Path) -> None:
    ids = ["--kol", "k0299", "--as-of", AT.isoformat(), "--model", "1"]
    told = CliRunner().invoke(app, ["models", "reproduce", "trust", *ids, "--json"], env={"KOLRAY_HOME": str(home)})
    made = json.loads(told.stdout)
    assert (told.exit_code, made["same"], made["source"]) == (0, True, "metrics store")


def test_a_number_that_differs_in_its_last_bit_is_found(home: Path) -> None:
    registry, lake = _parts(home)
    row = _score(lake, "k0001")
    off = math.nextafter(row["probability"][0], 1.0)
    store = MemoryStore()
    store.upsert_scores(row.with_columns(kol_id=pl.lit("other"), probability=pl.lit(off)))
    made = reproduce(registry, lake, store, "other")
    assert not made.same
    assert made.held["lower"] == made.again["lower"]


def test_what_names_no_score_is_told_apart(home: Path) -> None:
    registry, lake = _parts(home)
    with pytest.raises(NotFoundError, match="nobody"):
        reproduce(registry, lake, MemoryStore(), "nobody")
    with pytest.raises(NotFoundError, match="k0001"):
        reproduce(registry, lake, MemoryStore(), "k0001", as_of=AT + timedelta(hours=1))
    store = MemoryStore()
    row = _score(lake, "k0001")
    store.upsert_scores(row.with_columns(kol_id=pl.lit("old"), features=pl.lit(None, pl.String)))
    store.upsert_scores(row.with_columns(kol_id=pl.lit("gone"), model=pl.lit("trust:99")))
    with pytest.raises(InvalidInputError, match="without its features"):
        reproduce(registry, lake, store, "old")
    with pytest.raises(NotFoundError, match="trust:99"):
        reproduce(registry, lake, store, "gone")


def test_a_version_has_its_plots_and_a_card_that_gains_the_ablation(home: Path, tmp_path: Path) -> None:
    registry, lake = _parts(home)
    client, _ = registry.experiment("kolray")
    run_id = client.get_model_version("trust", "1").run_id
    plots = {file.path for file in client.list_artifacts(run_id, "plots")}
    assert plots == {f"plots/{name}.png" for name in ("reliability", "roc", "precision_recall")}

    def card() -> str:
        return Path(client.download_artifacts(run_id, "card.md", str(tmp_path))).read_text()

    assert "kolray models ablate trust" in card()
    assert "`gold.features` 0, `ref.labels` 0" in card()
    whole, rows = ablate_version(registry, lake.root)
    assert whole["auc"] == registry.report("trust", 1)["test"]["auc"]
    assert all(row["without"] in card() for row in rows)


def test_a_training_is_repeated_from_its_tags_whatever_came_after(home: Path) -> None:
    registry, lake = _parts(home)
    tags = registry.tags("trust", 1)
    assert json.loads(tags["data_version"]) == {"gold.features": 0, "ref.labels": 0}
    assert tags["feature_schema"] == feature_schema(registry.load_version("trust", 1).model.feature_names)
    assert json.loads(tags["libraries"]).keys() >= {"python", "kolray", "xgboost-cpu", "numpy", "polars"}
    folder = lake.path("gold.features").url
    later = pl.read_delta(folder).with_columns(pl.col("as_of") + timedelta(hours=1), f0=-pl.col("f0"))
    later.write_delta(folder, mode="append")
    versions = json.loads(tags["data_version"])
    again = train("trust", lake.root, int(tags["seed"]), versions=versions)
    assert again.model.version == tags["digest"]
    assert train("trust", lake.root, int(tags["seed"])).model.version != tags["digest"]
