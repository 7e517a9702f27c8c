"""Why a score is what it is: what each feature adds, what calibration makes of the sum, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats
from kolray.models.trust.counterfactual import Counterfactual, nearest_counterfactual
from kolray.models.trust.model import TrustModel


@dataclass(frozen=True)
class Calibration:
    """The last step, apart from the contributions: ``method`` makes ``probability`` (clipped) of ``log_odds``."""

    method: str
    log_odds: float
    probability: float


@dataclass(frozen=True)
class Part:
    """A feature (or ``base``), its value (None: unknown), and what it adds to the log-odds of a bought audience."""

    feature: str
    value: float | None
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """``parts``, strongest first, sum to ``calibration.log_odds``; no counterfactual: the score can hardly rise."""

    parts: tuple[Part, ...]
    calibration: Calibration
    counterfactual: Counterfactual | None


def explain(model: TrustModel, x: Floats) -> Explanation:
    """For one row (1, features)."""
    effects, values = model.parts(x)[0], [*x[0], np.nan]
    names = (*model.feature_names, "base")
    parts = [
        Part(name, None if np.isnan(value) else float(value), float(effect))
        for name, value, effect in zip(names, values, effects, strict=True)
    ]
    odds = float(model.fold_log_odds(x).mean())
    calibration = Calibration(model.calibrator.method, odds, float(model.probability(x)[0]))
    strongest = sorted(parts, key=lambda part: -abs(part.contribution))
    return Explanation(tuple(strongest), calibration, nearest_counterfactual(model, x))
