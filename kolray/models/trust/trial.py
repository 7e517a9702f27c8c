"""One trial of tuning: a booster for each inner fold, grown by rounds and judged on the rows it does not see (pure)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kolray.models.metrics import Floats
from kolray.models.trial import Trial
from kolray.models.trust.fit import N_FOLDS, Accounts, inner_folds
from kolray.models.trust.members import booster_params
from kolray.models.trust.space import SPACE


class BoosterTrial(Trial):
    """Boosters of all inner folds with the same parameters.

    Args:
        train: the accounts that a model is fitted on, and no others.
        params: over the defaults, as ``fit_booster``; its ``rounds`` are not used.
        seed: as ``train_trust``: the same folds, so the same boosters.
    """

    space = SPACE

    def __init__(self, train: Accounts, params: dict[str, Any], seed: int) -> None:
        import xgboost as xgb

        super().__init__()
        folds, self._params = inner_folds(train, seed), []
        self._labels: list[Any] = []
        self._matrices: list[tuple[Any, Floats]] = []
        self._boosters = []
        for fold in range(N_FOLDS):
            mine, rest = folds == fold, folds != fold
            own, _ = booster_params(params, seed + fold)
            matrix = xgb.DMatrix(train.x[rest], train.y[rest])
            self._params.append(own)
            self._labels.append(train.y[mine])
            self._matrices.append((matrix, train.x[mine]))
            self._boosters.append(xgb.Booster(own, [matrix]))

    def boost(self) -> float:
        """Log-loss out of fold."""
        losses = []
        for booster, (matrix, unseen), labels in zip(self._boosters, self._matrices, self._labels, strict=True):
            for done in range(self.rounds, self.rounds + SPACE.every):
                booster.update(matrix, done)
            odds = booster.inplace_predict(unseen, predict_type="margin").astype(np.float64)
            losses.append(np.logaddexp(0.0, np.where(labels == 1, -odds, odds)))
        return float(np.concatenate(losses).mean())

    def save(self, folder: Path) -> None:
        super().save(folder)
        for fold, booster in enumerate(self._boosters):
            booster.save_model(folder / f"booster-{fold}.ubj")

    def load(self, folder: Path) -> None:
        super().load(folder)
        for fold, booster in enumerate(self._boosters):
            booster.load_model(folder / f"booster-{fold}.ubj")
            booster.set_param(self._params[fold])
