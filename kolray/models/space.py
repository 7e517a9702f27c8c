"""What a search may change: parameters with their ranges, and for how long a trial boosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Bounds, both included; ``log``: searched by its logarithm; ``whole``: integers alone."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Space:
    """The parameters of a booster.

    Attributes:
        ranges: of each parameter that is searched.
        defaults: the point the search begins at: what a model gets without tuning.
        every: boosting rounds between reports; the scheduler judges a trial at each.
        min_rounds: no trial is stopped earlier by others' being better (small steps begin slowly).
        max_rounds: none goes on for longer. Rounds are not searched: the best of a trial's own are taken.
        patience: reports without a better loss after which a trial ends itself.
    """

    ranges: Mapping[str, Range]
    defaults: Mapping[str, Any]
    every: int
    min_rounds: int
    max_rounds: int
    patience: int = 3
