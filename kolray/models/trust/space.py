"""What tuning may change of the trust model: its booster's parameters."""

from __future__ import annotations

from kolray.models.space import Range, Space
from kolray.models.trust.members import BOOSTER_DEFAULTS

RANGES: dict[str, Range] = {
    "max_depth": Range(2, 8, whole=True),
    "eta": Range(0.03, 0.3, log=True),
    "min_child_weight": Range(0.5, 20.0, log=True),
    "subsample": Range(0.5, 1.0),
    "colsample_bytree": Range(0.2, 1.0),
    "lambda": Range(0.1, 30.0, log=True),
}
SPACE = Space(RANGES, {name: BOOSTER_DEFAULTS[name] for name in RANGES}, every=20, min_rounds=80, max_rounds=480)
