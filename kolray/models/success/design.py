"""What the forecaster sees: one row a KOL and horizon, from hours before the origin only.

The same function makes training rows and requests. Values enter as log1p, so that large and small accounts share one
model, and as differences to the row's *level*, the KOL's own mean at the target's hour of day: what is learnt is how
the hour ``origin + horizon - 1`` departs from it, and a model that knows nothing still answers with that mean.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats
from kolray.models.success.series import Hourly

MAX_HORIZON = 24
DAY, WEEK = 24, 168
LOOKBACK = 4 * WEEK
LAGS = (1, 2, 3, 6, 24)
MEANS = (3, 6, 24, 72, WEEK)
KNOWN_MAX = 2 * DAY
"""Longer histories look alike: else the count would name the hour of training."""
LOCAL = timedelta(hours=7)
"""Vietnam: calendar features are of local time."""

NAMES = (
    "horizon",
    "hour",
    "weekday",
    "known_hours",
    "deviation_24",
    *(f"lag_{lag}" for lag in LAGS),
    *(f"mean_{hours}" for hours in MEANS),
    "same_hour_1d",
    "same_hour_2d",
    "same_hour_7d",
    "around_same_hour_1d",
    "level",
    "same_hour_deviation",
)


def design(history: Hourly, horizons: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Rows ordered by KOL, then horizon: (KOLs x horizons, ``NAMES``) and each row's level (log1p).

    NaN where history is too short; the level then is the mean of what is known, or 0.

    ``horizons``: hours ahead, 1 … ``MAX_HORIZON``; 1 is the hour that begins at ``history.end``.
    """
    y = np.log1p(history.values[:, -LOOKBACK:])
    n_hours = y.shape[1]
    target = n_hours + horizons - 1
    by_kol = [
        *(_hours(y, np.array([n_hours - lag]))[:, 0] for lag in LAGS),
        *(_mean(y[:, -hours:], axis=1) for hours in MEANS),
    ]
    same_hour = np.stack([_hours(y, target - k * DAY) for k in range(1, LOOKBACK // DAY + 1)])
    around = np.stack([_hours(y, target - DAY + shift) for shift in (-1, 0, 1)])
    shape = (len(y), len(horizons))
    level = _level(_mean(same_hour, axis=0), y)
    calendar = [np.broadcast_to(c, shape) for c in (horizons, *_calendar(history.end, horizons))]
    known_hours = np.minimum((~np.isnan(y)).sum(axis=1), KNOWN_MAX)
    absolute = [np.broadcast_to(c[:, None], shape) for c in (known_hours, _deviation(y[:, -DAY:], axis=1))]
    relative = [c[:, None] - level for c in by_kol]
    relative += [c - level for c in (*same_hour[[0, 1, 6]], _mean(around, axis=0))]
    columns = [*calendar, *absolute, *relative, level, _deviation(same_hour, axis=0)]
    return np.stack(columns, axis=2).reshape(-1, len(NAMES)), level.ravel()


def _level(same_hour_mean: Floats, y: Floats) -> Floats:
    overall = np.nan_to_num(_mean(y, axis=1))[:, None]
    return np.where(np.isnan(same_hour_mean), overall, same_hour_mean)


def _hours(y: Floats, columns: NDArray[np.int64]) -> Floats:
    """Some hours of every KOL; NaN outside of what is known."""
    known = (columns >= 0) & (columns < y.shape[1])
    return np.where(known, y[:, np.where(known, columns, 0)], np.nan)


def _mean(values: Floats, axis: int) -> Floats:
    """Mean of what is known; NaN where nothing is."""
    count = (~np.isnan(values)).sum(axis=axis)
    return np.nansum(values, axis=axis) / np.where(count > 0, count, np.nan)


def _deviation(values: Floats, axis: int) -> Floats:
    mean = np.expand_dims(_mean(values, axis), axis)
    return np.sqrt(_mean((values - mean) ** 2, axis))


def _calendar(origin: datetime, horizons: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Local hour of the day and weekday (0 = Monday) of each target hour."""
    local = origin + LOCAL
    hours = local.weekday() * DAY + local.hour + horizons - 1
    return (hours % DAY).astype(float), (hours // DAY % 7).astype(float)
