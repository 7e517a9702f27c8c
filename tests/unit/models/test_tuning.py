"""Tuning: a trial goes on where it was, the untouched fold decides, and what was searched by is named."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from kolray.models.trust.fit import inner_folds
from kolray.models.trust.members import BOOSTER_DEFAULTS, Boosters, fit_booster
from kolray.models.trust.space import EVERY, MAX_ROUNDS, SPACE, defaults
from kolray.models.trust.train import part
from kolray.models.trust.trial import BoosterTrial
from kolray.models.tuning import Tried, judge_search, search_id
from tests.unit.models.test_trust import FEATURES, LABELS

TRAIN = part(FEATURES, LABELS, seed=1).train
FLAT = defaults() | {"max_depth": 2, "eta": 0.05, "subsample": 1.0, "colsample_bytree": 1.0}
"""Without drawing lots, so that boosting on from a file is exact."""
STEEP = defaults() | {"max_depth": 8, "eta": 0.3, "min_child_weight": 1.0, "rounds": 300}
"""It overfits."""


def test_the_defaults_lie_within_the_ranges():
    assert all(SPACE[name].low <= value <= SPACE[name].high for name, value in defaults().items())
    assert set(SPACE) < set(BOOSTER_DEFAULTS)


def test_a_trial_that_is_loaded_goes_on_as_if_it_had_not_been_away(tmp_path: Path):
    whole = [loss for _, loss in islice(BoosterTrial(TRAIN, FLAT, 1).reports(), 4)]
    first = BoosterTrial(TRAIN, FLAT, 1)
    for _ in islice(first.reports(), 2):
        first.save(tmp_path)
    second = BoosterTrial(TRAIN, FLAT, 1)
    second.load(tmp_path)
    assert second.rounds == first.rounds == 2 * EVERY
    rest = [loss for _, loss in islice(second.reports(), 2)]
    assert [*first.losses, *rest] == pytest.approx(whole, rel=1e-6)


def test_a_trial_boosts_the_same_boosters_as_training_does():
    trial = BoosterTrial(TRAIN, FLAT, 1)
    next(trial.reports())
    mine = inner_folds(TRAIN, 1) == 0
    fitted = fit_booster(TRAIN.x[~mine], TRAIN.y[~mine], FLAT | {"rounds": EVERY}, 1, ["f0", "f1", "f2", "f3"])
    grown = Boosters.of([trial._boosters[0], fitted]).scores(TRAIN.x[mine])
    assert grown[:, 0] == pytest.approx(grown[:, 1])


def test_a_trial_that_gets_no_better_ends_itself():
    reports = list(BoosterTrial(TRAIN, FLAT | {"eta": 0.3, "max_depth": 8}, 1).reports())
    assert reports[-1][0] < MAX_ROUNDS


@pytest.mark.parametrize(("params", "kept"), [(FLAT | {"rounds": 60}, True), (STEEP, False)])
def test_tuned_parameters_are_kept_only_if_the_untouched_fold_prefers_them(params, kept):
    tried = [
        Tried("a", defaults() | {"rounds": 160}, 0.5, 160),
        Tried("b", params, 0.4, 100),  # the search prefers it, right or wrong
    ]
    report, trained = judge_search(tried, FEATURES, LABELS, seed=1)
    assert report.params == params
    assert report.inner == {"tuned": 0.4, "defaults": 0.5}
    assert (report.test["tuned"]["log_loss"] < report.test["defaults"]["log_loss"]) is report.kept is kept
    assert trained.report.params == (report.params if kept else {})
    assert set(report.metrics()) > {"inner_log_loss_tuned", "test_auc_defaults"}


def test_a_search_is_named_by_accounts_and_seed():
    assert search_id(TRAIN, 1) == search_id(part(FEATURES.reverse(), LABELS, seed=1).train, 1)
    assert search_id(TRAIN, 1) != search_id(TRAIN, 2)
    assert search_id(TRAIN, 1) != search_id(part(FEATURES.head(500), LABELS, seed=1).train, 1)
