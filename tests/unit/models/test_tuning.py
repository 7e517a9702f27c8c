"""Tuning: a trial goes on where it was, the untouched fold decides, and what was searched by is named."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from pathlib import Path

import polars as pl
import pytest

from kolray.models.success.design import HOURLY
from kolray.models.success.members import DEFAULTS as FORECAST_DEFAULTS
from kolray.models.success.space import SPACE as SUCCESS
from kolray.models.success.train import learnt_from
from kolray.models.success.trial import ForecastTrial, Rehearsal
from kolray.models.trust.fit import inner_folds
from kolray.models.trust.members import BOOSTER_DEFAULTS, Boosters, fit_booster
from kolray.models.trust.space import SPACE
from kolray.models.trust.train import part, train_trust
from kolray.models.trust.trial import BoosterTrial
from kolray.models.tuning import Tried, Tunable, judge_search
from tests.hourly import kpi_hourly
from tests.unit.models.test_trust import FEATURES, LABELS

TRAIN = part(FEATURES, LABELS, seed=1).train
EVERY, DEFAULTS = SPACE.every, dict(SPACE.defaults)
FLAT = DEFAULTS | {"max_depth": 2, "eta": 0.05, "subsample": 1.0, "colsample_bytree": 1.0}
"""Without drawing lots, so that boosting on from a file is exact."""
STEEP = DEFAULTS | {"max_depth": 8, "eta": 0.3, "min_child_weight": 1.0, "rounds": 300}
"""It overfits."""


@pytest.mark.parametrize(("space", "known"), [(SPACE, BOOSTER_DEFAULTS), (SUCCESS, FORECAST_DEFAULTS)])
def test_the_defaults_lie_within_the_ranges(space, known):
    assert all(space.ranges[name].low <= value <= space.ranges[name].high for name, value in space.defaults.items())
    assert set(space.ranges) == set(space.defaults) < set(known)


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
    assert reports[-1][0] < SPACE.max_rounds


@pytest.mark.parametrize(("params", "kept"), [(FLAT | {"rounds": 60}, True), (STEEP, False)])
def test_tuned_parameters_are_kept_only_if_the_untouched_fold_prefers_them(params, kept):
    tried = [
        Tried("a", DEFAULTS | {"rounds": 160}, 0.5, 160),
        Tried("b", params, 0.4, 100),  # the search prefers it, right or wrong
    ]
    report, trained = judge_search(tried, tunable())
    assert report.params == params
    assert report.inner == {"tuned": 0.4, "defaults": 0.5}
    assert (report.test["tuned"]["log_loss"] < report.test["defaults"]["log_loss"]) is report.kept is kept
    assert trained.report.params == (report.params if kept else {})
    assert set(report.metrics()) > {"inner_loss_tuned", "test_auc_defaults"}


def test_a_search_is_named_by_data_seed_and_ranges():
    assert tunable().id(1) == tunable().id(1) != tunable().id(2)
    assert tunable("less").id(1) != tunable().id(1) != tunable(space=SUCCESS).id(1)


def tunable(data="all", space=SPACE):
    return Tunable(space, BoosterTrial, lambda params: train_trust(FEATURES, LABELS, 1, params), data, "log-loss")


KPI = kpi_hourly(20, hours=168)
REHEARSAL = Rehearsal.of(learnt_from(KPI, None), HOURLY, 1)
CALM = dict(SUCCESS.defaults) | {"bagging_fraction": 1.0, "feature_fraction": 1.0, "rows": 10_000}


def test_a_forecast_trial_goes_on_where_it_was_and_learns(tmp_path: Path):
    whole = [loss for _, loss in islice(ForecastTrial(REHEARSAL, CALM, 1).reports(), 3)]
    first = ForecastTrial(REHEARSAL, CALM, 1)
    for _ in islice(first.reports(), 2):
        first.save(tmp_path)
    second = ForecastTrial(REHEARSAL, CALM, 1)
    second.load(tmp_path)
    assert second.rounds == 2 * SUCCESS.every
    rest = [loss for _, loss in islice(second.reports(), 1)]
    assert [*first.losses, *rest] == pytest.approx(whole, rel=1e-3)
    assert 0 < whole[-1] < 1.0, "better than the seasonal naive"


def test_trials_of_success_see_nothing_of_the_hours_that_judge():
    last = KPI["hour"].max() - timedelta(hours=23)
    later = KPI.with_columns(likes=pl.when(pl.col("hour") >= last).then(7).otherwise("likes"))
    assert Rehearsal.of(learnt_from(later, None), HOURLY, 1).digest() == REHEARSAL.digest()
    earlier = KPI.with_columns(likes=pl.when(pl.col("hour") < last).then(7).otherwise("likes"))
    assert Rehearsal.of(learnt_from(earlier, None), HOURLY, 1).digest() != REHEARSAL.digest()
