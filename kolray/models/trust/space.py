"""What tuning may change: the booster's parameters, their ranges, and how long a trial boosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kolray.models.trust.members import BOOSTER_DEFAULTS


@dataclass(frozen=True)
class Range:
    """Bounds, both included; ``log``: searched by its logarithm; ``whole``: integers alone."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


SPACE: dict[str, Range] = {
    "max_depth": Range(2, 8, whole=True),
    "eta": Range(0.03, 0.3, log=True),
    "min_child_weight": Range(0.5, 20.0, log=True),
    "subsample": Range(0.5, 1.0),
    "colsample_bytree": Range(0.2, 1.0),
    "lambda": Range(0.1, 30.0, log=True),
}
EVERY = 20
"""Boosting rounds between reports; the scheduler judges a trial at each."""
MIN_ROUNDS, MAX_ROUNDS = 80, 480
"""No trial is stopped earlier by others' being better (small steps begin slowly); none goes on for longer. Rounds are
not searched: the best of a trial's own are taken."""
PATIENCE = 3
"""Reports without a better loss after which a trial ends itself."""


def defaults() -> dict[str, Any]:
    """The point the search begins at: what a model gets without tuning."""
    return {name: BOOSTER_DEFAULTS[name] for name in SPACE}
