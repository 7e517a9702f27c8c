"""From log-odds to a probability that means what it says: Platt or isotonic, chosen and fitted on a fold of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats, Labels
from kolray.models.splits import stratified_folds

CLIP = 0.005
"""No account is ever certain: probabilities stay within [CLIP, 1 - CLIP]."""
CHOICE_FOLDS = 4


@dataclass(frozen=True)
class Calibrator:
    """A non-decreasing map of log-odds, given by points between which it is linear.

    ``method`` is ``platt`` (points in log-odds, then the logistic function) or ``isotonic`` (points in probability).
    """

    method: str
    x: Floats
    y: Floats

    def probability(self, log_odds: Floats) -> Floats:
        """In [CLIP, 1 - CLIP]; never falls when the log-odds rise."""
        if self.method == "platt":
            raw = 1.0 / (1.0 + np.exp(-np.clip(self._line(log_odds), -500, 500)))
        else:
            raw = np.interp(log_odds, self.x, self.y)
        return np.clip(raw, CLIP, 1.0 - CLIP)

    def rank(self, log_odds: Floats) -> Floats:
        """Calibrated log-odds before the clip, which would make the surest accounts of all alike; isotonic's steps,
        too, keep the order within them.
        """
        if self.method == "platt":
            return self._line(log_odds)
        p = np.clip(np.interp(log_odds, self.x, self.y), 1e-6, 1.0 - 1e-6)
        return np.log(p / (1.0 - p)) + 1e-6 * log_odds

    def _line(self, log_odds: Floats) -> Floats:
        slope = (self.y[1] - self.y[0]) / (self.x[1] - self.x[0])
        return self.y[0] + slope * (log_odds - self.x[0])


IDENTITY = Calibrator("platt", np.array([-1.0, 1.0]), np.array([-1.0, 1.0]))
"""The logistic function alone: no calibration."""


def fit_platt(log_odds: Floats, labels: Labels) -> Calibrator:
    """Logistic regression on the log-odds with Platt's smoothed targets; the slope is never negative."""
    from scipy.optimize import minimize

    positives = int(labels.sum())
    negatives = len(labels) - positives
    target = np.where(labels == 1, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))

    def loss(theta: Floats) -> tuple[float, Floats]:
        odds = theta[0] + theta[1] * log_odds
        p = 1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500)))
        value = (np.logaddexp(0.0, odds) - target * odds).mean()
        return value, np.array([(p - target).mean(), ((p - target) * log_odds).mean()])

    shift, slope = minimize(loss, np.array([0.0, 1.0]), jac=True, bounds=[(None, None), (1e-3, None)]).x
    ends = np.array([-1.0, 1.0])
    return Calibrator("platt", ends, shift + slope * ends)


def fit_isotonic(log_odds: Floats, labels: Labels) -> Calibrator:
    """Pool-adjacent-violators."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(log_odds, labels)
    return Calibrator("isotonic", np.asarray(fitted.X_thresholds_, float), np.asarray(fitted.y_thresholds_, float))


METHODS = {"platt": fit_platt, "isotonic": fit_isotonic}


def choose_calibrator(log_odds: Floats, labels: Labels, seed: int) -> tuple[Calibrator, dict[str, float]]:
    """The method with the lower cross-validated Brier score within this fold, fitted on all of it; and both scores."""
    folds = stratified_folds(labels, CHOICE_FOLDS, seed)
    briers: dict[str, float] = {}
    for name, fit in METHODS.items():
        errors = np.empty(len(labels))
        for fold in range(CHOICE_FOLDS):
            mine = folds == fold
            errors[mine] = (fit(log_odds[~mine], labels[~mine]).probability(log_odds[mine]) - labels[mine]) ** 2
        briers[name] = float(errors.mean())
    return METHODS[min(briers, key=lambda name: briers[name])](log_odds, labels), briers
