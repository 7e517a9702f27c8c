"""The stack: a non-negative logistic regression over the members' out-of-fold scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats, Labels

RIDGE = 1e-3
MIN_GAIN = 0.002
"""A member earns its place by lowering the cross-validated log-loss by this share at least."""


@dataclass(frozen=True)
class Stack:
    """Log-odds = intercept + sum of weight x (score - centre); weights are never negative.

    ``centre`` is each member's mean score in training, so that a typical account gets nothing from a member.
    """

    names: tuple[str, ...]
    weights: Floats
    centre: Floats
    intercept: float

    def log_odds(self, scores: Floats) -> Floats:
        """``scores``: (rows, members) in the order of ``names``."""
        return ((scores - self.centre) * self.weights).sum(axis=1) + self.intercept


def fit_stack(names: tuple[str, ...], scores: Floats, labels: Labels) -> Stack:
    """Maximum likelihood under weights >= 0, with a slight ridge on standardised scores."""
    from scipy.optimize import minimize

    centre, scale = scores.mean(axis=0), np.maximum(scores.std(axis=0), 1e-9)
    z, sign = (scores - centre) / scale, np.where(labels == 1, 1.0, -1.0)

    def loss(theta: Floats) -> tuple[float, Floats]:
        margin = sign * (z @ theta[1:] + theta[0])
        pull = -sign / (1.0 + np.exp(np.clip(margin, -500, 500)))
        value = np.logaddexp(0.0, -margin).mean() + RIDGE * (theta[1:] ** 2).sum()
        return value, np.concatenate([[pull.mean()], z.T @ pull / len(z) + 2 * RIDGE * theta[1:]])

    start = np.concatenate([[0.0], np.full(len(names), 0.5)])
    bounds = [(None, None), *[(0.0, None)] * len(names)]
    theta = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return Stack(names, theta[1:] / scale, centre, float(theta[0]))


def cross_validated_loss(names: tuple[str, ...], scores: Floats, labels: Labels, folds: np.ndarray) -> float:
    """Log-loss of the stack on rows it was not fitted on."""
    losses = np.empty(len(labels))
    for fold in np.unique(folds):
        mine = folds == fold
        odds = fit_stack(names, scores[~mine], labels[~mine]).log_odds(scores[mine])
        losses[mine] = np.logaddexp(0.0, np.where(labels[mine] == 1, -odds, odds))
    return float(losses.mean())


def choose_members(
    names: tuple[str, ...], scores: Floats, labels: Labels, folds: np.ndarray
) -> tuple[tuple[str, ...], dict[str, float]]:
    """Drops, weakest first, every member that does not help.

    Returns:
        the names kept, and for each member the share by which the log-loss rose without it when it was judged.
    """
    kept = list(range(len(names)))
    gains: dict[str, float] = {}

    def loss(members: list[int]) -> float:
        return cross_validated_loss(tuple(names[i] for i in members), scores[:, members], labels, folds)

    while len(kept) > 1:
        whole = loss(kept)
        without = {i: loss([j for j in kept if j != i]) / whole - 1.0 for i in kept}
        gains |= {names[i]: gain for i, gain in without.items()}
        weakest = min(without, key=lambda i: without[i])
        if without[weakest] >= MIN_GAIN:
            break
        kept.remove(weakest)
    return tuple(names[i] for i in kept), gains
