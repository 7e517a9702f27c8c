"""The night's measures: quiet where nothing changed, and each rule raised by what it is for."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from kolray.models.monitor import AtTraining, alerts_of, measure, midnight
from kolray.stores.metrics import ALERT_SCHEMA
from tests.unit.models.test_trust import TRAINED, noisy_accounts

AT = datetime(2026, 1, 5, 0, 40, 12, tzinfo=UTC)
WORLD = noisy_accounts(2000, seed=11)[0]
THEN = AtTraining.of(WORLD, TRAINED.model, TRAINED.report.test["auc"])


def _measures(now: pl.DataFrame, auc_limit: float = 0.03) -> pl.DataFrame:
    return measure(THEN, now, TRAINED.model, 0.25, auc_limit)


def _rules(measures: pl.DataFrame) -> list[str]:
    return alerts_of(measures, "trust:3", midnight(AT), AT)["rule"].to_list()


def test_other_kols_of_the_same_world_raise_nothing():
    raised = [_rules(_measures(noisy_accounts(n, seed)[0])) for n in (60, 300, 1000) for seed in range(20, 30)]
    assert raised == [[]] * 30


def test_a_feature_that_no_score_depends_on_raises_its_own_rule_alone():
    measures = _measures(WORLD.with_columns(pl.col("f2") * 3 + 2))
    [(name, value)] = measures.filter("drifted").select("name", "value").iter_rows()
    assert (name, _rules(measures)) == ("f2", ["feature_drift"])
    assert value > 0.25


def test_kols_who_become_harder_to_tell_apart_raise_all_three():
    measures = _measures(WORLD.with_columns(pl.col("f0", "f1") * 0.1 - 0.2))
    assert _rules(measures) == ["feature_drift", "score_drift", "estimated_auc_drop"]
    alert = alerts_of(measures, "trust:3", midnight(AT), AT).row(2, named=True)
    evidence = json.loads(alert["evidence"])
    assert evidence["value"] < evidence["at_training"] - 0.03
    assert evidence["untouched_fold"] == pytest.approx(TRAINED.report.test["auc"], abs=1e-4)
    assert (alert["severity"], alert["kol_id"], evidence["model"]) == ("high", "model:trust", "trust:3")
    assert alert["window_start"] == datetime(2026, 1, 5, tzinfo=UTC)


def test_an_alert_is_the_same_all_day_and_another_the_next():
    measures = _measures(WORLD.with_columns(pl.col("f2") + 9))
    ids = [alerts_of(measures, "trust:3", midnight(at), at)["alert_id"][0] for at in (AT, AT.replace(hour=23))]
    tomorrow = alerts_of(measures, "trust:3", midnight(AT.replace(day=6)), AT)
    assert ids[0] == ids[1] != tomorrow["alert_id"][0]
    assert dict(tomorrow.schema) == ALERT_SCHEMA


def test_a_model_without_probabilities_is_compared_by_its_features_alone():
    measures = measure(AtTraining(THEN.features), WORLD, None, 0.25, 0.03)
    assert measures["kind"].unique().to_list() == ["feature"]


def test_kols_of_one_kind_have_no_estimate_and_raise_no_fall():
    measures = _measures(WORLD.head(1))
    assert measures.filter(name="estimated")["value"].to_list() == [None]
    assert _rules(measures) == []


def test_what_is_kept_of_a_training_survives_json():
    assert AtTraining.from_dict(json.loads(json.dumps(asdict(THEN)))) == THEN
    bare = AtTraining(THEN.features)
    assert AtTraining.from_dict(json.loads(json.dumps(asdict(bare)))) == bare


def test_the_estimate_at_training_is_near_the_untouched_fold():
    assert THEN.estimated_auc == pytest.approx(TRAINED.report.test["auc"], abs=0.06)
    assert np.isfinite(THEN.estimated_sd)
