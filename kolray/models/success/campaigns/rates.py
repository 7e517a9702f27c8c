"""How much a campaign brings in an hour: a rate learnt from all campaigns, moved by what its own hours have shown.

The rate of a kind of hour is a Poisson regression over all campaigns. A campaign then is some times as strong as such
campaigns usually are; that factor is Gamma distributed among them, so that after ``seen`` counts where ``usual`` were
to be expected it is ``(strength + seen) / (strength + usual)``: a new campaign is taken for a usual one, an old one for
what it has shown.

Reference: Gelman et al., Bayesian Data Analysis, 3rd ed., 2.6 (Gamma-Poisson).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from kolray.models.metrics import Floats
from kolray.models.success.campaigns.cases import Cases, past_cases
from kolray.models.success.campaigns.hours import CampaignHours
from kolray.models.success.campaigns.sums import SumIntervals, fit_intervals
from kolray.models.success.forecaster import Forecast

STRENGTHS = np.geomspace(0.3, 1000.0, 25)
FOLDS = 3
MAX_ROWS = 120_000
MIN_HOURS = 100
"""Known hours of campaigns, all together, below which no rate is learnt."""
PENALTY = 0.01
TINY = 1e-9


@dataclass(frozen=True)
class Rate:
    """Of one count: ``usual`` is the rate of every hour of ``CampaignHours`` as such campaigns usually have it."""

    usual: Floats
    strength: float
    intervals: SumIntervals

    def forecast(self, cases: Cases) -> Forecast:
        """Sums of the cases, which were made of ``usual``, with 90 % intervals."""
        value = expected(cases, self.strength)
        lower, upper = self.intervals.bounds(value, doubt(cases, self.strength), cases)
        return Forecast(value, np.minimum(lower, value), np.maximum(upper, value))


def expected(cases: Cases, strength: float) -> Floats:
    """The mean of each sum, given what the campaign has shown."""
    return cases.usual * (strength + cases.seen) / (strength + cases.before)


def doubt(cases: Cases, strength: float) -> Floats:
    """The part of each forecast that rests on other campaigns, 0-1."""
    return strength / (strength + cases.before)


def fit_rate(hours: CampaignHours, name: str) -> Rate | None:
    """The rate of a count of ``COUNTS``, from the hours that are past; None where they are too few.

    Strength and intervals come from forecasts of campaigns by rates that were learnt from other KOLs' campaigns.
    """
    y = np.maximum(hours.counts[name], 0.0)
    known = np.flatnonzero(~np.isnan(y))
    if len(known) < MIN_HOURS or not y[known].any():
        return None
    x = (hours.told - hours.told[known].mean(axis=0)) / (hours.told[known].std(axis=0) + TINY)
    kols = np.unique(hours.campaigns["kol_id"].to_numpy(), return_inverse=True)[1]
    fold = np.repeat(kols % FOLDS, hours.lengths)
    others = np.full(len(y), np.nan)
    for part in range(FOLDS):
        rest = known[fold[known] != part]
        others[fold == part] = _regressed(x, y, rest if len(rest) else known)[fold == part]
    cases, actual = past_cases(hours, y, others)
    strength = min(STRENGTHS, key=lambda s: _deviance(actual, expected(cases, s)))
    intervals = fit_intervals(actual, expected(cases, strength), doubt(cases, strength), cases)
    return Rate(_regressed(x, y, known), strength, intervals)


def _regressed(x: Floats, y: Floats, rows: np.ndarray) -> Floats:
    """The rate of every row, learnt from some; evenly chosen ones where they are many."""
    from sklearn.linear_model import PoissonRegressor

    if len(rows) > MAX_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, MAX_ROWS).astype(int)]
    mean = float(y[rows].mean())
    if mean <= 0:
        return np.full(len(y), TINY)
    with threadpool_limits(1):
        model = PoissonRegressor(alpha=PENALTY, max_iter=300, tol=1e-4).fit(x[rows], y[rows] / mean)
    return np.maximum(mean * model.predict(x), TINY)


def _deviance(actual: Floats, mean: Floats) -> float:
    """Of the Poisson law, up to what does not depend on the mean."""
    return float(np.sum(mean - actual * np.log(np.maximum(mean, TINY))))
