"""A booster by Ray Train's workers is as good as one of a single process, and fits into the same model."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray

from kolray.models.booster_trainer import BoosterTrainer
from kolray.models.trust import train_trust
from tests.unit.models.test_trust import noisy_accounts

pytestmark = pytest.mark.heavy
SHORT = {"rounds": 40, "eta": 0.2}
"""On a machine with other work, workers wait for each other at every level of every tree."""


def test_a_model_with_boosters_of_two_workers_is_as_good(tmp_path: Path) -> None:
    features, labels = noisy_accounts(4000, seed=5)
    alone = train_trust(features, labels, seed=1, params=SHORT)
    with ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="error"):
        fit = BoosterTrainer(str(tmp_path), from_rows=1_000, workers=2)
        shared = train_trust(features, labels, seed=1, params=SHORT, fit=fit)
    assert shared.report.test["auc"] == pytest.approx(alone.report.test["auc"], abs=0.01)
    assert shared.report.test["log_loss"] == pytest.approx(alone.report.test["log_loss"], abs=0.01)
    assert len(list(tmp_path.glob("booster-*"))) == 5
    assert shared.model.score(features.head(3))["trust_score"].is_between(0, 100).all()


def test_fewer_rows_need_no_workers(tmp_path: Path) -> None:
    features, labels = noisy_accounts(600)
    here = train_trust(features, labels, seed=1, fit=BoosterTrainer(str(tmp_path), from_rows=1_000, workers=2))
    assert here.model.version == train_trust(features, labels, seed=1).model.version
    assert list(tmp_path.iterdir()) == []
