"""Lifts of many campaigns together: each pulled towards what campaigns bring, the more the less sure it is of itself.

Empirical Bayes: the logs of all campaigns' lift ratios are taken as drawn from one normal distribution, and the error
of each as distributed like the placebos. Mean and spread of that distribution are uncertain too and averaged over
(hierarchical Bayes on a grid, flat over both), so that few campaigns make wide intervals.

References: Morris, Parametric Empirical Bayes Inference, JASA 1983; Gelman et al., Bayesian Data Analysis, 3rd ed., 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats

GRID = np.linspace(-2.0, 2.5, 451)
"""Logs of a campaign's ratio: from a seventh to the twelvefold."""
MEANS = np.linspace(-0.5, 1.5, 81)
SPREADS = np.linspace(0.01, 0.8, 40)
CAUTION = 0.9
"""Quantile of the spread of lifts that intervals are made with: one that is taken too small makes all too narrow."""
SIDE = 0.05
MAX_CAMPAIGNS = 2_000
"""Campaigns that the distribution is learnt from, evenly of all."""
_ERRORS = np.linspace(-15.0, 15.0, 1501)
_WIDTH = 0.15
_STRAY = 0.02
"""Part of errors that may be anything: no campaign's measure rules everything else out."""


@dataclass(frozen=True)
class Shrunk:
    """Logs of the ratio: the best guess and the bounds of the 90 % interval of each campaign."""

    value: Floats
    lower: Floats
    upper: Floats


def shrink(effect: Floats, spread: Floats, placebos: Floats) -> Shrunk:
    """Posterior mean and central 90 % interval of each campaign's effect.

    Args:
        effect: logs of ratios as measured (no NaN).
        spread: of the errors of each.
        placebos: errors over their spread, of any number.
    """
    likely = _likelihood(effect, spread, placebos)
    chosen = np.unique(np.linspace(0, len(effect) - 1, min(len(effect), MAX_CAMPAIGNS)).round().astype(int))
    shapes = np.exp(-0.5 * ((GRID[:, None, None] - MEANS[:, None]) / SPREADS) ** 2)
    shapes = (shapes / shapes.sum(axis=0)).reshape(len(GRID), -1)
    evidence = sum(np.log(part @ shapes + 1e-300).sum(axis=0) for part in np.array_split(likely[chosen], 8))
    weight = np.exp(evidence - np.max(evidence)).reshape(len(MEANS), len(SPREADS))
    weight /= weight.sum()
    wide = int((weight.sum(axis=0).cumsum() >= CAUTION).argmax())
    careful = np.zeros_like(weight)
    careful[:, wide] = weight[:, wide] / weight[:, wide].sum()
    best, bounds = (_posterior(likely, shapes @ w.ravel()) for w in (weight, careful))
    below = bounds.cumsum(axis=1)
    value = best @ GRID
    lower, upper = (GRID[(below >= part).argmax(axis=1)] for part in (SIDE, 1 - SIDE))
    return Shrunk(value, np.minimum(lower, value), np.maximum(upper, value))


def _likelihood(effect: Floats, spread: Floats, placebos: Floats) -> Floats:
    """(campaigns, grid): how likely each measure is where the truth is a place of the grid; its largest is 1."""
    error = (effect[:, None] - GRID) / spread[:, None]
    likely = np.interp(error, _ERRORS, _density(placebos), left=1e-6, right=1e-6)
    return np.asarray(likely / likely.max(axis=1, keepdims=True))


def _density(placebos: Floats) -> Floats:
    """Of errors over their spread, from the placebos: events of a KOL's own make it lean to one side."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.stats import t

    step = _ERRORS[1] - _ERRORS[0]
    edges = np.append(_ERRORS - step / 2, _ERRORS[-1] + step / 2)
    counted = np.histogram(np.clip(placebos, _ERRORS[0], _ERRORS[-1]), edges)[0] / max(len(placebos), 1) / step
    return np.asarray((1 - _STRAY) * gaussian_filter1d(counted, _WIDTH / step) + _STRAY * t.pdf(_ERRORS / 2, 2) / 2)


def _posterior(likely: Floats, prior: Floats) -> Floats:
    joint = likely * prior
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))
