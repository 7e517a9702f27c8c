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
from kolray.models.trust.additive import fit_additive
from kolray.models.trust.calibration import CLIP, choose_calibrator, fit_isotonic, fit_platt
from kolray.models.trust.fit import identical_rows
from kolray.models.trust.members import Boosters, IsolationForest, fit_booster
from kolray.models.trust.model import Seen
from kolray.models.trust.stack import Stack, choose_members, fit_stack
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


def test_contributions_sum_to_the_log_odds_of_ten_thousand_random_rows():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(10_000, 4)) * np.exp(3 * rng.normal(size=(10_000, 1)))
    x[rng.random(x.shape) < 0.2] = np.nan
    total = every_member().parts(x).sum(axis=1)
    assert np.abs(total - every_member().fold_log_odds(x).mean(axis=1)).max() < 1e-9


def test_contributions_name_features_and_the_base_alone():
    parts = TRAINED.model.contributions(FEATURES.head(2))
    assert parts["feature"].unique(maintain_order=True).to_list() == ["f0", "f1", "f2", "f3", "base"]


def test_every_member_survives_its_files(tmp_path: Path):
    model = every_member()
    for name, data in model.to_files().items():
        (tmp_path / name).write_bytes(data)
    loaded = TrustModel.load(tmp_path)
    x = FEATURES.drop("kol_id").to_numpy()
    assert loaded.version == model.version
    assert np.array_equal(loaded.parts(x), model.parts(x))


def every_member() -> TrustModel:
    """As ``TRAINED``, with no member dropped; ``f1`` is taken for text."""
    x = FEATURES.drop("kol_id").to_numpy()
    y = LABELS["label"].to_numpy().astype(np.int8)
    folds = stratified_folds(y, 3, seed=1)
    members = {
        "xgboost": Boosters.of([fit_booster(x[folds != k], y[folds != k], FAST, k, list("abcd")) for k in range(3)]),
        "isolation_forest": IsolationForest.fit(x, seed=1),
        "additive": fit_additive(x, y, folds, np.arange(4), seed=1),
        "text": fit_additive(x, y, folds, np.array([1]), seed=1),
    }
    stack = Stack(tuple(members), np.array([0.5, 0.2, 0.4, 0.3]), np.array([0.1, -0.9, 0.0, 0.2]), -0.4)
    return TrustModel(TRAINED.model.feature_names, members, stack, TRAINED.model.calibrator, Seen.of(x))


def test_compiled_trees_answer_as_xgboost_does():
    x = FEATURES.drop("kol_id").to_numpy()
    booster = fit_booster(x, LABELS["label"].to_numpy().astype(np.int8), FAST, 1, list("abcd"))
    rows = np.concatenate([x, np.full((1, 4), np.nan), np.full((1, 4), np.inf), np.full((1, 4), 1e300)])
    own = Boosters.of([booster]).scores(rows)[:, 0]
    assert own == pytest.approx(
        booster.inplace_predict(rows[:-2], predict_type="margin").tolist() + own[-2:].tolist(), abs=1e-5
    )
    assert own[-1] == own[-2]


def test_curves_of_the_additive_member_find_a_shape_and_are_flat_beyond_it():
    rng = np.random.default_rng(2)
    x = rng.uniform(-3, 3, size=(2_000, 2))
    y = (rng.random(2_000) < 1 / (1 + np.exp(3 - 2 * np.abs(x[:, 0])))).astype(np.int8)
    member = fit_additive(x, y, np.zeros(2_000, np.int64) - (np.arange(2_000) % 2), np.arange(2), seed=1)
    bottom, arm, far = member.scores(np.array([[0.0, 0.0], [2.9, 0.0], [1e6, 0.0]])).mean(axis=1)
    assert arm - bottom > 2
    assert far == pytest.approx(arm, abs=0.5)
    assert np.abs(member.contributions(x)[:, :2].mean(axis=0)).max() < 0.05


def test_an_account_of_which_little_is_known_is_thin():
    x = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, np.nan, np.nan, 4.0]])
    assert TRAINED.model.thin(x).tolist() == [False, True]


def test_a_score_does_not_depend_on_the_rows_beside_it_to_the_last_bit():
    rows = FEATURES.head(60)
    alone = pl.concat([TRAINED.model.answer(rows[i : i + 1]) for i in range(rows.height)])
    assert_frame_equal(alone, TRAINED.model.answer(rows), check_exact=True)


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


@pytest.mark.parametrize("fit", [fit_platt, fit_isotonic])
def test_ranks_keep_apart_what_the_clip_makes_alike(fit):
    rng = np.random.default_rng(5)
    odds = rng.normal(size=200) * 3
    calibrator = fit(odds, (odds + rng.normal(size=200) > 0).astype(np.int8))
    far = np.linspace(-40, 40, 50)
    assert (np.diff(calibrator.rank(far)) > 0).all()
    assert calibrator.probability(far)[0] == calibrator.probability(far)[5] == CLIP


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


def test_accounts_that_are_all_alike_make_no_folds():
    y = (np.arange(100) % 2).astype(np.int8)
    with pytest.raises(InvalidInputError, match="different rows"):
        stratified_folds(y, 5, seed=1, groups=identical_rows(np.full((100, 3), np.nan)))


def test_folds_keep_identical_rows_together_and_labels_spread():
    x = np.repeat(np.random.default_rng(0).normal(size=(100, 3)), 2, axis=0)
    y = np.repeat(np.arange(100) % 2, 2).astype(np.int8)
    folds = stratified_folds(y, 5, seed=1, groups=identical_rows(x))
    assert (folds[::2] == folds[1::2]).all()
    assert all(abs(y[folds == f].mean() - 0.5) < 0.01 for f in range(5))
