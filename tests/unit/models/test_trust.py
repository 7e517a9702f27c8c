"""The trust model: contract of a scorer, additive contributions, calibration, honest folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.errors import InvalidInputError
from kolray.models.splits import stratified_folds
from kolray.models.trust import TrustModel, train_trust
from kolray.models.trust.calibration import CLIP, choose_calibrator, fit_isotonic, fit_platt
from kolray.models.trust.fit import identical_rows
from kolray.models.trust.members import IsolationForest
from kolray.models.trust.stack import choose_members, fit_stack
from kolray.models.trust.train import labelled
from kolray.testing.model_checks import check_scorer

FAST = {"rounds": 30}


def noisy_accounts(n: int = 600, seed: int = 3) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Accounts whose risk rises with two of four features; the best possible AUC is about 0.9."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    bought = rng.random(n) < 1 / (1 + np.exp(-(2.0 * x[:, 0] + 1.5 * x[:, 1] * (x[:, 0] > 0) - 0.5)))
    ids = [f"k{i:04d}" for i in range(n)]
    features = pl.DataFrame({"kol_id": ids, **{f"f{j}": x[:, j] for j in range(4)}})
    holes = pl.Series(rng.random(n) < 0.1)
    features = features.with_columns(f3=pl.when(holes).then(None).otherwise("f3"))
    return features, pl.DataFrame({"kol_id": ids, "label": bought.astype(np.int64)})


FEATURES, LABELS = noisy_accounts()
TRAINED = train_trust(FEATURES, LABELS, seed=1, params=FAST)


def test_the_model_keeps_the_contract_of_a_scorer():
    check_scorer(TRAINED.model, FEATURES.head(40))


def test_contributions_sum_to_the_log_odds():
    rows = FEATURES.head(50)
    total = TRAINED.model.contributions(rows).group_by("kol_id", maintain_order=True).agg(pl.col("contribution").sum())
    assert np.abs(total["contribution"].to_numpy() - TRAINED.model.log_odds(rows)).max() < 1e-4


def test_saved_files_load_to_the_same_scores(tmp_path: Path):
    for name, data in TRAINED.model.to_files().items():
        (tmp_path / name).write_bytes(data)
    loaded = TrustModel.load(tmp_path)
    assert loaded.version == TRAINED.model.version
    assert_frame_equal(loaded.score(FEATURES), TRAINED.model.score(FEATURES), check_exact=True)


def test_training_is_exact_per_seed_and_ignores_the_order_of_rows():
    again = train_trust(FEATURES.sample(fraction=1, shuffle=True, seed=9), LABELS.reverse(), seed=1, params=FAST)
    assert again.model.version == TRAINED.model.version
    assert again.report == TRAINED.report


def test_the_report_shows_the_model_beside_the_best_single_feature():
    report = TRAINED.report
    assert report.baseline["feature"] == "f0"
    assert report.test["auc"] > report.baseline["auc"] > 0.7
    assert report.beats_baseline
    assert report.n_test == TRAINED.test.height
    assert {"auc", "pr_auc", "brier", "ece"} <= set(report.test)


def test_a_riskier_account_is_never_trusted_more():
    risky, safe = (pl.DataFrame({"kol_id": ["k"], "f0": [v], "f1": [v], "f2": [0.0], "f3": [0.0]}) for v in (2.0, -2.0))
    assert TRAINED.model.score(risky)["trust_score"][0] < 40
    assert TRAINED.model.score(safe)["trust_score"][0] > 60


def test_labels_of_unknown_kols_and_older_labels_do_not_count():
    at = pl.Series([FEATURES.height * [0]]).explode()
    old = LABELS.with_columns(label=1 - pl.col("label"), at=at)
    new = LABELS.with_columns(at=at + 1)
    stranger = pl.DataFrame({"kol_id": ["nobody"], "label": [1], "at": [1]})
    table, names = labelled(FEATURES, pl.concat([new, old, stranger]))
    assert names == ("f0", "f1", "f2", "f3")
    assert table["label"].to_list() == LABELS["label"].to_list()


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_refused_with_advice(label):
    with pytest.raises(InvalidInputError, match="ingest labels"):
        train_trust(FEATURES, LABELS.with_columns(label=pl.lit(label)), seed=1)


def test_text_features_are_refused_by_name():
    with pytest.raises(InvalidInputError, match="f0"):
        TRAINED.model.score(FEATURES.with_columns(pl.col("f0").cast(pl.String)))


def test_a_useless_member_is_dropped_and_a_useful_one_kept():
    rng = np.random.default_rng(0)
    y = (rng.random(800) < 0.3).astype(np.int8)
    good, noise = 2.0 * y + rng.normal(size=800), rng.normal(size=800)
    kept, gains = choose_members(("good", "noise"), np.stack([good, noise], 1), y, np.arange(800) % 5)
    assert kept == ("good",)
    assert gains["good"] > 0.1 > gains["noise"]


def test_stack_weights_are_never_negative():
    rng = np.random.default_rng(0)
    y = (rng.random(500) < 0.5).astype(np.int8)
    scores = np.stack([y + rng.normal(size=500), -2.0 * y + rng.normal(size=500)], axis=1)
    assert (fit_stack(("a", "against"), scores, y).weights >= 0).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([fit_platt, fit_isotonic]))
def test_calibrators_never_fall_and_stay_away_from_certainty(seed, fit):
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=80) * 3
    y = (rng.random(80) < 0.5).astype(np.int8)
    p = fit(odds, y).probability(np.linspace(-20, 20, 200))
    assert (np.diff(p) >= 0).all()
    assert p.min() >= CLIP
    assert p.max() <= 1 - CLIP


def test_calibration_mends_overconfidence():
    rng = np.random.default_rng(5)
    odds = rng.normal(size=2000)
    y = (rng.random(2000) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    calibrator, briers = choose_calibrator(4 * odds, y, seed=1)
    p = calibrator.probability(4 * odds)
    assert np.abs(p - 1 / (1 + np.exp(-odds))).mean() < 0.05
    assert set(briers) == {"platt", "isotonic"}


def test_forest_arrays_score_as_scikit_learn():
    from sklearn.ensemble import IsolationForest as Sklearn

    x = np.random.default_rng(0).normal(size=(400, 5))
    reference = Sklearn(n_estimators=100, max_samples=256, random_state=7).fit(x)
    assert IsolationForest.fit(x, seed=7).score(x) == pytest.approx(-reference.score_samples(x), abs=1e-12)


def test_folds_keep_identical_rows_together_and_labels_spread():
    x = np.repeat(np.random.default_rng(0).normal(size=(100, 3)), 2, axis=0)
    y = np.repeat(np.arange(100) % 2, 2).astype(np.int8)
    folds = stratified_folds(y, 5, seed=1, groups=identical_rows(x))
    assert (folds[::2] == folds[1::2]).all()
    assert all(abs(y[folds == f].mean() - 0.5) < 0.01 for f in range(5))
