"""What tuning may change of the success model: the parameters of its LightGBM."""

from __future__ import annotations

from kolray.models.space import Range, Space
from kolray.models.success.members import DEFAULTS

RANGES: dict[str, Range] = {
    "num_leaves": Range(8, 127, log=True, whole=True),
    "learning_rate": Range(0.02, 0.2, log=True),
    "min_data_in_leaf": Range(10, 400, log=True, whole=True),
    "feature_fraction": Range(0.2, 1.0),
    "bagging_fraction": Range(0.3, 1.0),
    "lambda_l2": Range(0.05, 50.0, log=True),
}
SPACE = Space(RANGES, {name: DEFAULTS[name] for name in RANGES}, every=30, min_rounds=120, max_rounds=600)
