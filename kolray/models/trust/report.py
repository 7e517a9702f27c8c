"""The report on a trust model: its untouched test fold beside the trivial baseline, and what each member is worth."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kolray.models.metrics import Floats, Labels
from kolray.models.trust.baseline import fit_stump


@dataclass(frozen=True)
class TrustReport:
    """All probabilities are of a bought audience; ``test`` and ``baseline`` are of KOLs no part of the model saw.

    ``members``: for each its ``auc`` out of fold, ``gain`` (share by which the stack's log-loss rises without it),
    ``weight`` and whether it was ``kept``. ``importance``: mean absolute contribution to the log-odds.
    ``curves``: see ``metrics.curves``. ``groups``: platform and tier → group → ``n, auc, ece``, where they are known.
    ``fake_share``: how often its interval covered the true share (see ``judge_fake_share``); None where none is known.
    """

    n: int
    n_test: int
    prevalence: float
    test: dict[str, float]
    baseline: dict[str, Any]
    members: dict[str, dict[str, float | bool]]
    calibration: dict[str, Any]
    reliability: list[dict[str, float]]
    importance: dict[str, float]
    params: dict[str, Any] = field(default_factory=dict)
    fake_share: dict[str, float] | None = None
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    @property
    def beats_baseline(self) -> bool:
        """Better than the best single feature at ranking, and than the prevalence as a probability."""
        return self.test["auc"] > self.baseline["auc"] and self.test["brier"] < self.baseline["brier"]

    def metrics(self) -> dict[str, float]:
        """The figures of the test fold and, prefixed ``baseline_``, those of the baseline."""
        return {**self.test, "baseline_auc": self.baseline["auc"], "baseline_brier": self.baseline["brier"]}

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "beats_baseline": self.beats_baseline}


def baseline_metrics(
    names: tuple[str, ...], x: Floats, y: Labels, x_test: Floats, y_test: Labels
) -> dict[str, float | str]:
    """The trivial alternatives on the test fold.

    ``feature``, ``auc`` and ``pr_auc`` of the single feature, used as it is or turned round, that ranks the other rows
    best; ``brier`` of always answering their prevalence.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    stump = fit_stump(x, y)
    return {
        "feature": names[stump.feature],
        "auc": float(roc_auc_score(y_test, stump.rank(x_test))),
        "pr_auc": float(average_precision_score(y_test, stump.rank(x_test))),
        "brier": float(np.mean((y.mean() - y_test) ** 2)),
    }


def judge_members(
    names: tuple[str, ...], scores: Floats, labels: Labels, gains: dict[str, float], weights: dict[str, float]
) -> dict[str, dict[str, float | bool]]:
    """Each member alone (out of fold) and what it adds to the stack."""
    from sklearn.metrics import roc_auc_score

    return {
        name: {
            "auc": float(roc_auc_score(labels, scores[:, j])),
            "gain": gains.get(name, 0.0),
            "weight": weights.get(name, 0.0),
            "kept": name in weights,
        }
        for j, name in enumerate(names)
    }
