"""How the trust model behaves on a generated world: what must not matter, what must, and that it learns at all."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.events import invalid_reason
from kolray.features import compute_features
from kolray.models.sentiment import default_classifier
from kolray.models.trust import train_trust
from kolray.testing.model_checks import check_scorer

CONFIG = WorldConfig(n_kols=700, hours=48, seed=11)


def silver(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """As the lake would hold it: valid, one row an event."""
    valid = frame.filter(invalid_reason(kind).is_null() & (pl.col("event_time") < CONFIG.end))
    return valid.unique("event_id", keep="first", maintain_order=True).with_columns(available_at="event_time")


@pytest.fixture(scope="module")
def world():
    made = build_world(CONFIG)
    arrived = list(batches(made))
    social = silver(pl.concat([b.social for b in arrived]), "social")
    social = social.with_columns(sentiment=default_classifier().classify(social["text"]))
    features = compute_features(social.lazy(), silver(pl.concat([b.web for b in arrived]), "web").lazy(), CONFIG.end)
    return features, made.labels, train_trust(features, made.labels, seed=1)


def test_it_beats_the_best_single_feature_on_kols_it_never_saw(world):
    report = world[2].report
    assert report.beats_baseline
    assert report.test["auc"] > report.baseline["auc"] + 0.1


def test_the_model_trained_on_a_world_keeps_the_contract(world):
    check_scorer(world[2].model, world[0].head(20))


def test_names_and_the_moment_do_not_matter(world):
    features, _, trained = world
    renamed = features.with_columns(kol_id=pl.col("kol_id") + "-x", as_of=pl.col("as_of") + timedelta(days=9))
    scores, same = trained.model.score(features), trained.model.score(renamed)
    assert_frame_equal(scores.drop("kol_id"), same.drop("kol_id"), check_exact=True)


def test_followers_that_come_in_one_jump_without_reach_cost_trust_on_average(world):
    features, labels, trained = world
    honest = features.join(labels.filter(pl.col("label") == 0), on="kol_id", how="semi")
    jumped = honest.with_columns(
        follower_jump_max=pl.lit(0.5), follower_jump_share=pl.lit(0.98), follower_velocity=pl.lit(0.02),
        gain_burst=pl.lit(200.0), gain_reach_correlation=pl.lit(-0.1), gain_per_impression=pl.lit(0.05),
    )  # fmt: skip
    assert trained.model.score(jumped)["trust_score"].mean() < trained.model.score(honest)["trust_score"].mean() - 5
