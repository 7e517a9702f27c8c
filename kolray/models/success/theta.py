"""The Theta method for every series of a panel at once: a member that needs no other series and follows a new level.

Assimakopoulos & Nikolopoulos, The theta model, IJF 2000, which Hyndman & Billah (2003) show to be simple exponential
smoothing with half the slope of the trend as drift; seasons are taken out first and put back after.
"""

from __future__ import annotations

import numpy as np

from kolray.models.metrics import Floats, known_mean
from kolray.models.success.series import Panel

ALPHAS = np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
"""Smoothing factors that are tried; each series has the one with the least squared error a step ahead."""
SEASONS_READ = 12
"""Newest seasons whose median shape is that of a series; smoothing begins so far back, at least ``SMOOTHED_STEPS``.

The trend is that of the whole history: what rose for some days does not rise for ever."""
SMOOTHED_STEPS = 60
LEAST_GAIN = 0.9
"""A season counts where with it a step ahead is forecast with less than this part of the error: noise has shapes."""


def theta(scaled: Panel, horizon: int, season: int) -> Floats:
    """(series, horizon) of the steps after the panel's end, on the scale of its values; NaN of a series without any."""
    steps = max((SEASONS_READ + 1) * season, SMOOTHED_STEPS)
    values = scaled.values[:, -steps:]
    drift = _slope(scaled.values) / 2
    shape = _season(values, season)
    plain, plain_error = _smoothed(values, drift, horizon)
    if shape is None:
        return plain
    n = values.shape[1]
    past, future = shape[:, np.arange(n) % season], shape[:, np.arange(n, n + horizon) % season]
    seasonal, error = _smoothed(values - past, drift, horizon)
    seasons = _seasons(values, season)
    better = error < LEAST_GAIN * (1 - 1 / seasons) * plain_error  # a mean of so many takes that off any noise
    return np.where(better[:, None], seasonal + future, plain)


def _seasons(values: Floats, season: int) -> Floats:
    """How many seasons each series tells (series,), at least 1."""
    return np.asarray(np.maximum((~np.isnan(values)).sum(axis=1) / season, 1.0))


def _season(values: Floats, season: int) -> Floats | None:
    """How each place in a season departs from the season's mean (series, season); None below two seasons."""
    n = values.shape[1]
    whole = n // season
    if season < 2 or whole < 2:
        return None
    newest = values[:, n - whole * season :].reshape(len(values), whole, season)
    with_mean = newest - known_mean(newest, axis=2)[:, :, None]
    told = (~np.isnan(with_mean)).sum(axis=1) > 0  # the median: a jump within a season is no shape of it
    shape = np.where(told, np.nanmedian(np.where(told[:, None, :], with_mean, 0.0), axis=1), 0.0)
    shape -= shape.mean(axis=1, keepdims=True)
    return np.roll(shape, (n - whole * season) % season, axis=1)


def _smoothed(values: Floats, drift: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Forecasts of series without a season, and their mean squared errors a step ahead."""
    n_series, n = values.shape
    known = ~np.isnan(values)
    first = np.where(known.any(axis=1), known.argmax(axis=1), 0)
    begin = values[np.arange(n_series), first]
    level = np.repeat(begin[:, None], len(ALPHAS), axis=1)
    squares = np.zeros_like(level)
    for step in range(n):
        told = known[:, step] & (step > first)
        missed = np.where(told[:, None], values[:, step : step + 1] - level, 0.0)
        squares += missed**2
        level += ALPHAS * missed
    best = np.argmin(squares, axis=1)
    rows = np.arange(n_series)
    count = np.maximum(known.sum(axis=1) - 1, 1)
    alpha = ALPHAS[best][:, None]
    # The drift begins where smoothing lags behind the trend: Hyndman & Billah, equation 10.
    lag = (1 - (1 - alpha) ** count[:, None]) / alpha
    return level[rows, best][:, None] + drift[:, None] * (np.arange(horizon) + lag), squares[rows, best] / count


def _slope(values: Floats) -> Floats:
    """Of the least-squares line through what is known of each series; 0 with less than two points."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    time = np.where(known, np.arange(values.shape[1]), 0.0)
    time = np.where(known, time - time.sum(axis=1, keepdims=True) / count, 0.0)
    spread = (time**2).sum(axis=1)
    return np.asarray((time * np.nan_to_num(values)).sum(axis=1) / np.where(spread > 0, spread, 1.0))
