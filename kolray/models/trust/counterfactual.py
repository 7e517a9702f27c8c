"""What would have to be otherwise for another score: the nearest change of at most three features, rescored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats
from kolray.models.trust.model import FAKE_FROM, TrustModel

MOST = 3
STEPS = 8
FINE = 64
"""A change is made no larger than needed: to one of so many parts of the way there, then of that part."""
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
    odds = float(model.fold_log_odds(x).mean(axis=1)[0])
    score, best = _trust(model, np.array([odds, -1e9])).tolist()
    asked = 100.0 * (1.0 - FAKE_FROM) if score < 100.0 * (1.0 - FAKE_FROM) else score + GAIN
    if asked > best:
        return None
    row = x[0].copy()
    moved: list[int] = []
    for _ in range(MOST):
        found = _best_move(model, row, moved, odds)
        if found is None:
            break
        feature, row[feature], odds = found
        moved.append(feature)
        if _trust(model, np.array([odds]))[0] >= asked:
            for each in moved:
                row[each] = _cut_back(model, row, each, x[0, each], asked)
            break
    changes = tuple(Change(model.feature_names[j], float(x[0, j]), float(row[j])) for j in moved if row[j] != x[0, j])
    reached = float(_trust(model, model.fold_log_odds(row[None]).mean(axis=1))[0])
    return Counterfactual(changes, reached, asked, reached >= asked)


def _trust(model: TrustModel, log_odds: Floats) -> Floats:
    return 100.0 * (1.0 - model.calibrator.probability(log_odds))


def _best_move(model: TrustModel, row: Floats, moved: list[int], odds: float) -> tuple[int, float, float] | None:
    """The feature and value that lower the log-odds most, and to what; None where nothing lowers them."""
    low, high = model.seen.low, model.seen.high
    free = [
        j
        for j, name in enumerate(model.feature_names)
        if j not in moved and name not in GIVEN and not np.isnan(row[j]) and high[j] > low[j]
    ]
    if not free:
        return None
    columns = np.repeat(free, 2 * STEPS)
    parts = np.arange(1, STEPS + 1) / STEPS
    ends = np.stack([low[free], high[free]], axis=1)
    start = row[free, None, None]
    values = (start + parts * (ends[:, :, None] - start)).reshape(-1)
    found = model.moved_log_odds(row, columns, values)
    chosen = int(np.argmin(found))
    if found[chosen] >= odds:
        return None
    return int(columns[chosen]), float(values[chosen]), float(found[chosen])


def _cut_back(model: TrustModel, row: Floats, feature: int, original: float, asked: float) -> float:
    """The value nearest to the original one, on the way there, with which the row still gets what it asks for."""
    near, far = original, float(row[feature])
    column, parts = np.full(FINE, feature), np.arange(1, FINE + 1) / FINE
    for _ in range(2):
        values = near + parts * (far - near)
        values[-1] = far
        first = int(np.argmax(_trust(model, model.moved_log_odds(row, column, values)) >= asked))
        near, far = float(values[first - 1]) if first else near, float(values[first])
    return far
