"""Why a score is what it is: what each feature adds, what calibration makes of the sum, and what would change it."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    effects, values = model.parts(x)[0].tolist(), [None if math.isnan(value) else value for value in x[0].tolist()]
    parts = [*map(Part, (*model.feature_names, "base"), [*values, None], effects)]
    odds = model.fold_log_odds(x).mean(axis=1)
    probability = model.calibrator.probability(odds)
    calibration = Calibration(model.calibrator.method, float(odds[0]), float(probability[0]))
    strongest = sorted(parts, key=lambda part: -abs(part.contribution))
    return Explanation(tuple(strongest), calibration, nearest_counterfactual(model, x))
