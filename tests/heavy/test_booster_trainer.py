"""A booster by Ray Train's workers is as good as one of a single process, and fits into the same model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray

from kolray.models.booster_trainer import BoosterTrainer
from kolray.models.trust import train_trust
from kolray.models.trust.members import fit_booster
from tests.unit.models.test_trust import noisy_accounts

pytestmark = pytest.mark.heavy
SHORT = {"rounds": 40, "eta": 0.2}
"""On a machine with other work, workers wait for each other at every level of every tree."""


class FirstFold:
    """Workers fit the first fold alone, and one process all of them: a start of workers takes its seconds."""

    def __init__(self, trainer: BoosterTrainer) -> None:
        self.trainer = trainer
        self.first: tuple[Any, Any] | None = None

    def __call__(self, *given: Any) -> Any:
        alone = fit_booster(*given)
        if self.first is None:
            self.first = self.trainer(*given), alone
            return self.first[0]
        return alone

    def of_both(self, x: np.ndarray) -> list[np.ndarray]:
        """Log-odds by the workers' booster and by the one beside it."""
        assert self.first is not None
        return [booster.inplace_predict(x, predict_type="margin", validate_features=False) for booster in self.first]


def test_a_model_with_boosters_of_two_workers_is_as_good(tmp_path: Path) -> None:
    features, labels = noisy_accounts(4000, seed=5)
    alone = train_trust(features, labels, seed=1, params=SHORT)
    with ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="error"):
        fit = FirstFold(BoosterTrainer(str(tmp_path), from_rows=1_000, workers=2))
        shared = train_trust(features, labels, seed=1, params=SHORT, fit=fit)
    assert shared.report.test["auc"] == pytest.approx(alone.report.test["auc"], abs=0.01)
    assert shared.report.test["log_loss"] == pytest.approx(alone.report.test["log_loss"], abs=0.01)
    assert len(list(tmp_path.glob("booster-*"))) == 1
    mine = features.to_numpy()[:, 1:].astype(np.float64)
    assert np.corrcoef(*fit.of_both(mine))[0, 1] > 0.97
    assert shared.model.score(features.head(3))["trust_score"].is_between(0, 100).all()


def test_fewer_rows_need_no_workers(tmp_path: Path) -> None:
    features, labels = noisy_accounts(600)
    here = train_trust(features, labels, seed=1, fit=BoosterTrainer(str(tmp_path), from_rows=1_000, workers=2))
    assert here.model.version == train_trust(features, labels, seed=1).model.version
    assert list(tmp_path.iterdir()) == []
