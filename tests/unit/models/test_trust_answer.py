"""What a trust model answers beyond the score: fake share, reasons that add up, what would change it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolray.errors import InvalidInputError
from kolray.models.trust import TrustModel, train_trust
from kolray.models.trust.additive import Additive
from kolray.models.trust.counterfactual import FINE, GIVEN, MOST, nearest_counterfactual
from kolray.models.trust.curves import KNOTS
from kolray.models.trust.explanation import explain
from kolray.models.trust.members import Boosters, IsolationForest, Member, fit_booster
from kolray.models.trust.model import SHARE_COLUMNS, feature_matrix, feature_row
from kolray.models.trust.share import fit_fake_share, judge_fake_share
from tests.unit.models.test_trust import FAST, FEATURES, LABELS, TRAINED

ROWS = np.flatnonzero(TRAINED.model.score(FEATURES)["trust_score"].to_numpy() < 85)[:4].tolist()
"""KOLs with something to gain."""


def shares(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and true shares: few fakes for most, many for those whose second feature is high, and much noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    share = np.where(x[:, 1] > 0.8, rng.beta(2, 3, n), rng.beta(1.5, 45, n) + 0.02 * np.abs(x[:, 0]))
    return x, np.clip(share, 0, 1)


def test_the_interval_of_the_fake_share_covers_the_true_one():
    x, share = shares(3_000, seed=1)
    head = fit_fake_share(x, share, np.arange(3_000) % 3, seed=1)
    unseen, true = shares(4_000, seed=2)
    told = head.predict(unseen)
    assert (told[:, 1] <= told[:, 0]).all()
    assert (told[:, 0] <= told[:, 2]).all()
    assert judge_fake_share(told, true)["coverage"] == pytest.approx(0.95, abs=0.02)
    many = unseen[:, 1] > 0.8
    assert judge_fake_share(told[many], true[many])["coverage"] > 0.9
    assert told[many, 0].mean() > 3 * told[~many, 0].mean()


def test_rows_of_their_own_widen_the_interval_where_there_are_some():
    x, share = shares(1_500, seed=1)
    folds = np.arange(1_500) % 3
    wide = fit_fake_share(x, share, folds, 1, own=(x, np.full(1_500, 0.9)))
    assert (wide.predict(x)[:, 2] >= 0.85).all()
    assert fit_fake_share(x, np.where(np.arange(1_500) < 100, share, np.nan), folds, 1) is None


def test_labels_with_shares_teach_the_model_to_tell_them(tmp_path: Path):
    share = 0.4 * LABELS["label"] + 0.03
    labels = LABELS.with_columns(fake_share=pl.when(pl.int_range(pl.len()) % 5 > 0).then(share))
    trained = train_trust(FEATURES, labels, seed=1, params=FAST)
    assert "fake_share" not in trained.model.feature_names
    assert trained.report.fake_share["n"] < trained.report.n_test
    answer = trained.model.answer(FEATURES)
    assert answer.null_count().select(SHARE_COLUMNS).row(0) == (0, 0, 0)
    for name, data in trained.model.to_files().items():
        (tmp_path / name).write_bytes(data)
    loaded = TrustModel.load(tmp_path)
    assert loaded.version == trained.model.version != TRAINED.model.version
    assert loaded.answer(FEATURES).equals(answer)
    rows = FEATURES.head(3).to_dicts()
    assert [trained.model.answer_one(row["kol_id"], row) for row in rows] == answer.head(3).to_dicts()


def test_a_model_that_never_learnt_the_share_says_none():
    assert TRAINED.model.answer(FEATURES.head(3))["fake_share"].null_count() == 3
    assert TRAINED.model.answer_one("k", FEATURES.row(0, named=True))["fake_share"] is None


def test_one_row_is_taken_as_a_frame_of_it_is():
    names = ("unknown", "absent", "infinite", "huge", "whole", "flag")
    row = {"unknown": None, "infinite": float("inf"), "huge": 1e300, "whole": 3, "flag": True}
    np.testing.assert_array_equal(feature_row(row, names), feature_matrix(pl.DataFrame([row]), names))
    with pytest.raises(InvalidInputError, match="features whole hold text"):
        feature_row(row | {"whole": "3"}, names)


def test_reasons_add_up_to_what_the_calibration_starts_from():
    found = explain(TRAINED.model, TRAINED.model.matrix(FEATURES[7:8]))
    assert sum(part.contribution for part in found.parts) == pytest.approx(found.calibration.log_odds, abs=1e-9)
    score = TRAINED.model.score(FEATURES[7:8]).row(0, named=True)
    assert found.calibration.probability == score["probability"]
    strength = [abs(part.contribution) for part in found.parts]
    assert strength == sorted(strength, reverse=True)


def test_a_row_with_one_value_moved_scores_to_the_bit_as_a_row_of_its_own():
    model, rng = TRAINED.model, np.random.default_rng(3)
    for row in model.matrix(FEATURES[:20]):
        columns = np.repeat(np.arange(len(row)), 4)
        to = np.where(np.isnan(row), 0.0, row)[columns] * rng.normal(1.0, 2.0, len(columns))
        rows = np.repeat(row[None], len(columns), axis=0)
        rows[np.arange(len(columns)), columns] = to
        for member in model.members.values():
            np.testing.assert_array_equal(member.moved(row, columns, to), member.scores(rows))
        np.testing.assert_array_equal(model.moved_log_odds(row, columns, to), model.fold_log_odds(rows).mean(axis=1))


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_curves_of_any_number_of_columns_sum_to_the_bit_as_those_of_a_row_of_its_own(n_columns, seed):
    rng = np.random.default_rng(seed)
    knots = np.sort(rng.normal(size=(n_columns, KNOTS)))
    heights, missing = rng.normal(size=(3, n_columns, KNOTS)), rng.normal(size=(3, n_columns))
    curves = Additive(rng.permutation(n_columns + 1)[:n_columns], knots, heights, missing, rng.normal(size=3))
    check_moved(curves, np.where(rng.random(n_columns + 1) < 0.1, np.nan, rng.normal(size=n_columns + 1)), rng)


def test_trees_that_look_at_a_column_many_times_sum_to_the_bit_as_for_a_row_of_its_own():
    rng = np.random.default_rng(5)
    x = np.round(rng.normal(size=(500, 2)), 1)  # values lie on thresholds too
    forest = IsolationForest.fit(x, seed=1)
    deep = Boosters.of([fit_booster(x, (x[:, 0] > 0).astype(np.int64), {"max_depth": 9, "rounds": 5}, 1, ["a", "b"])])
    for row in x[:10]:
        check_moved(forest, row, rng)
        check_moved(deep, np.array([row[0], np.nan]), rng)


def check_moved(member: Member, row: np.ndarray, rng: np.random.Generator) -> None:
    columns = np.repeat(rng.permutation(len(row)), 7)
    to = np.round(rng.normal(size=len(columns)), 1)
    rows = np.repeat(row[None], len(columns), axis=0)
    rows[np.arange(len(columns)), columns] = to
    np.testing.assert_array_equal(member.moved(row, columns, to), member.scores(rows))


def test_who_is_near_the_top_has_nothing_to_change():
    scores = TRAINED.model.score(FEATURES)["trust_score"].to_numpy()
    near, far = int(scores.argmax()), int(scores.argmin())
    assert nearest_counterfactual(TRAINED.model, TRAINED.model.matrix(FEATURES[near : near + 1])) is None
    assert nearest_counterfactual(TRAINED.model, TRAINED.model.matrix(FEATURES[far : far + 1])) is not None


@pytest.mark.parametrize("row", ROWS)
def test_a_counterfactual_scores_what_it_says_and_stays_within_the_range_seen(row):
    model, x = TRAINED.model, TRAINED.model.matrix(FEATURES[row : row + 1])
    found = nearest_counterfactual(model, x)
    assert found is not None
    changed = x.copy()
    for change in found.changes:
        j = model.feature_names.index(change.feature)
        assert change.value == x[0, j]
        assert min(model.seen.low[j], x[0, j]) <= change.to <= max(model.seen.high[j], x[0, j])
        changed[0, j] = change.to
    assert len(found.changes) <= MOST
    assert 100 * (1 - model.probability(changed)[0]) == pytest.approx(found.trust_score, abs=1e-9)
    assert found.reached is (found.trust_score >= found.asked_for)
    assert found.trust_score >= model.score(FEATURES[row : row + 1])["trust_score"][0]


@pytest.mark.parametrize("row", ROWS)
def test_less_of_the_last_change_would_not_be_enough(row):
    model, x = TRAINED.model, TRAINED.model.matrix(FEATURES[row : row + 1])
    found = nearest_counterfactual(model, x)
    assert found is not None
    assert found.reached
    less, last = x.copy(), found.changes[-1]
    for change in found.changes:
        less[0, model.feature_names.index(change.feature)] = change.to
    for part in np.arange(1, FINE) / FINE:
        less[0, model.feature_names.index(last.feature)] = last.value + part * (last.to - last.value)
        assert 100 * (1 - model.probability(less)[0]) < found.asked_for


def test_a_counterfactual_leaves_alone_what_nobody_can_change_and_what_is_unknown():
    renamed = FEATURES.rename({"f0": sorted(GIVEN)[0]})
    model = train_trust(renamed, LABELS, seed=1, params=FAST).model
    x = np.array([[3.0, 3.0, 0.0, np.nan]])
    found = nearest_counterfactual(model, x)
    moved = {change.feature for change in (found.changes if found else ())}
    assert moved <= {"f1", "f2"}
