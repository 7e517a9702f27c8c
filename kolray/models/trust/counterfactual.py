"""What would have to be otherwise for another score: the nearest change of at most three features, rescored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats
from kolray.models.trust.model import FAKE_FROM, TrustModel

MOST = 3
STEPS = 8
REFINED = 12
"""Halvings by which a change is made no larger than needed."""
GAIN = 10.0
"""Points of trust that an account which is not called fake asks for."""
GIVEN = frozenset({"account_age_days", "verified", "created_at", "platform"})
"""What a creator can neither change nor contest."""


@dataclass(frozen=True)
class Change:
    """A feature and the value it would be moved to, within the range seen in training."""

    feature: str
    value: float
    to: float


@dataclass(frozen=True)
class Counterfactual:
    """``changes`` together would make the trust score ``trust_score``; ``reached``: at least what was asked for.

    Features are moved one by one as the model sees them: where one follows from another, both are contested together.
    """

    changes: tuple[Change, ...]
    trust_score: float
    asked_for: float
    reached: bool


def nearest_counterfactual(model: TrustModel, x: Floats) -> Counterfactual | None:
    """For one row (1, features): greedy by the log-odds gained, then each move cut back to what is needed.

    An account called fake asks for not being called so, any other for ``GAIN`` points more; None: there are not as many
    left below the most that the calibration gives. Features that are unknown, given (``GIVEN``) or were never seen to
    vary stay as they are.
    """
    score = _trust(model, x)[0]
    best = float(100.0 * (1.0 - model.calibrator.probability(np.array([-1e9]))[0]))
    asked = 100.0 * (1.0 - FAKE_FROM) if score < 100.0 * (1.0 - FAKE_FROM) else score + GAIN
    if asked > best:
        return None
    moved: list[int] = []
    row = x[0].copy()
    for _ in range(MOST):
        if moved and _trust(model, row[None])[0] >= asked:
            break
        found = _best_move(model, row, moved)
        if found is None:
            break
        row[found[0]] = found[1]
        moved.append(found[0])
    for feature in moved:
        row[feature] = _cut_back(model, row, feature, x[0, feature], asked)
    changes = tuple(Change(model.feature_names[j], float(x[0, j]), float(row[j])) for j in moved if row[j] != x[0, j])
    reached = float(_trust(model, row[None])[0])
    return Counterfactual(changes, reached, asked, reached >= asked)


def _trust(model: TrustModel, x: Floats) -> Floats:
    return 100.0 * (1.0 - model.probability(x))


def _best_move(model: TrustModel, row: Floats, moved: list[int]) -> tuple[int, float] | None:
    """The feature and value that lower the log-odds most; None where nothing lowers them."""
    low, high = model.seen.low, model.seen.high
    free = [
        j
        for j, name in enumerate(model.feature_names)
        if j not in moved and name not in GIVEN and not np.isnan(row[j]) and high[j] > low[j]
    ]
    if not free:
        return None
    columns = np.array(free)
    parts = np.arange(1, STEPS + 1) / STEPS
    ends = np.stack([low[columns], high[columns]], axis=1)
    values = row[columns, None, None] + parts * (ends[:, :, None] - row[columns, None, None])
    odds = model.moved_log_odds(row, np.repeat(columns, 2 * STEPS), values.reshape(-1))
    chosen = int(np.argmin(odds))
    if odds[chosen] >= model.fold_log_odds(row[None]).mean():
        return None
    return int(columns[chosen // (2 * STEPS)]), float(values.reshape(-1)[chosen])


def _cut_back(model: TrustModel, row: Floats, feature: int, original: float, asked: float) -> float:
    """The value nearest to the original one, on the way there, with which the row still gets what it asks for."""
    near, far = original, float(row[feature])
    trial = row.copy()
    if _trust(model, row[None])[0] < asked:
        return far
    for _ in range(REFINED):
        trial[feature] = (near + far) / 2
        if _trust(model, trial[None])[0] >= asked:
            far = float(trial[feature])
        else:
            near = float(trial[feature])
    return far
