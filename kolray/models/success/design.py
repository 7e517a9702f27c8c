"""What the global forecaster sees: one row a series and horizon, from steps before the origin only.

The same function makes training rows and requests. Values enter on the scale of ``scale.py``, so that large and small
series share one model, and as differences to the row's *level*, the newest season's mean with the usual departure from
it at the target's place in the season: what is learnt is how the step ``origin + horizon - 1`` departs from that, and a
model that knows nothing still answers with it, wherever a series has moved to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats, known_mean
from kolray.models.success.beside import BESIDE
from kolray.models.success.calendar import CALENDAR, calendar
from kolray.models.success.series import Panel

SEASONS = 7
"""Seasons looked back at; as many make the long season (a week of hours, seven weeks of days)."""
LONG_SEASONS = 4
AROUND = (-2, -1, 1, 2)


@dataclass(frozen=True)
class Design:
    """How rows are made: steps of a ``season``, the largest horizon, and whether dates mean anything.

    ``covariates``: series are by hour and of several metrics; rows say of which, and hold ``BESIDE``.
    """

    season: int = 24
    max_horizon: int = 24
    calendar: bool = True
    covariates: bool = False

    @property
    def long_season(self) -> int:
        """Steps of the long season."""
        return SEASONS * self.season

    @property
    def lookback(self) -> int:
        """Steps of history that count."""
        return max(LONG_SEASONS * self.long_season, *self.means.values())

    @property
    def lags(self) -> dict[str, int]:
        """Steps before the origin whose values are features; of hours 1, 2, 3, 6 and 24."""
        return {"1": 1, "2": 2, "3": 3, "quarter": max(self.season // 4, 1), "season": self.season}

    @property
    def means(self) -> dict[str, int]:
        """Newest steps whose means are features; of hours 3, 6, and 1, 3, 7, 14 and 30 days."""
        seasons = {f"{n}_seasons": n * self.season for n in (1, 3, 7, 14, 30)}
        return {"near": 3, "quarter": max(self.season // 4, 2), **seasons}

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of ``rows``."""
        return (
            "horizon",
            "place_in_season",
            *(CALENDAR if self.calendar else ()),
            *(("metric", *BESIDE) if self.covariates else ()),
            "known_steps",
            *(f"spread_{name}" for name in ("season", "long", "over_season", "over_long")),
            *(f"change_{name}" for name in ("season", "long", "level", "long_level")),
            *(f"lag_{name}" for name in self.lags),
            *(f"mean_{name}" for name in self.means),
            *(f"season_{k}" for k in range(1, SEASONS + 1)),
            *(f"long_{k}" for k in range(1, LONG_SEASONS + 1)),
            *(f"season_1{shift:+d}" for shift in AROUND),
            *(f"long_1{shift:+d}" for shift in AROUND),
            "level",
            "level_deviation",
        )

    def rows(self, history: Panel, horizons: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Rows ordered by series, then horizon: (series x horizons, ``names``) and each row's level.

        NaN where history is too short; the level then is the mean of what is known, or 0.

        Args:
            history: values on the model's scale.
            horizons: steps ahead, 1 … ``max_horizon``; 1 is the step that begins at the history's end.
        """
        y = history.values[:, -self.lookback :]
        n, shape = y.shape[1], (len(y), len(horizons))
        back = [seasons_back(horizons, size) for size in (self.season, self.long_season)]
        target = n + horizons - 1
        seasons = np.stack([_at(y, target - back[0] - k * self.season) for k in range(SEASONS)])
        longs = np.stack([_at(y, target - back[1] - k * self.long_season) for k in range(LONG_SEASONS)])
        around = [_at(y, target - size + shift) for size in back for shift in AROUND]
        level = _level(seasons, y, self.season)
        dates = calendar(history, horizons) if self.calendar else []
        ahead = [horizons, horizons % self.season, *dates, *self._covariates(history, horizons)]
        absolute = [c[:, None] for c in self._of_series(y)]
        relative = [c[:, None] - level for c in self._lags(y)]
        relative += [c - level for c in (*seasons, *longs, *around)]
        rows = np.empty((*shape, len(self.names)))
        for place, column in enumerate([*ahead, *absolute, *relative, level, deviation(seasons, axis=0)]):
            rows[:, :, place] = column
        return rows.reshape(-1, len(self.names)), level.ravel()

    def _covariates(self, history: Panel, horizons: NDArray[np.int64]) -> list[Floats]:
        """The metric and ``BESIDE``; NaN where they are not known."""
        if not self.covariates:
            return []
        unknown = np.full((len(history.ids), len(horizons)), np.nan)
        metric = (
            unknown if history.metric is None else np.broadcast_to(history.metric[:, None].astype(float), unknown.shape)
        )
        if history.beside is None:
            return [metric, *[unknown] * len(BESIDE)]
        first = horizons - 1 - seasons_back(horizons, self.season)
        back = first[None, :] - self.season * np.arange(SEASONS)[:, None]
        return [metric, *history.beside.columns(history.ends, horizons - 1, back)]

    def _of_series(self, y: Floats) -> list[Floats]:
        """How much is known, how uneven it is, and how it moved of late."""
        known = np.minimum((~np.isnan(y)).sum(axis=1), 2 * self.season)  # longer ones look alike, else it names a time
        quarter = max(self.season // 4, 1)
        moves = [lagged(y, size) for size in (self.season, self.long_season)]
        newest = [known_mean(move[:, -quarter:], axis=1) for move in moves]
        levels = [
            known_mean(move[:, -size:], axis=1)
            for move, size in zip(moves, (self.season, self.long_season), strict=True)
        ]
        spreads = [deviation(y[:, -size:], axis=1) for size in (self.season, self.long_season)]
        spreads += [deviation(move[:, -self.long_season :], axis=1) for move in moves]
        return [known.astype(float), *spreads, *newest, *levels]

    def _lags(self, y: Floats) -> list[Floats]:
        last = [_at(y, np.array([y.shape[1] - lag]))[:, 0] for lag in self.lags.values()]
        return last + [known_mean(y[:, -steps:], axis=1) for steps in self.means.values()]


HOURLY = Design(covariates=True)
"""Of the success model: hours of several metrics, a day ahead."""


def _level(same_place: Floats, y: Floats, season: int) -> Floats:
    """The newest season's mean, and how steps at that place of earlier seasons departed from their season's.

    Of less than a season the mean at that place, or of all.
    """
    ends = [y.shape[1] - k * season for k in range(SEASONS)]
    whole = [y[:, end - season : end] if end >= season else y[:, :0] for end in ends]
    means = np.stack([known_mean(part, axis=1) for part in whole])
    level = means[0][:, None] + known_mean(same_place - means[:, :, None], axis=0)
    level = np.where(np.isnan(level), known_mean(same_place, axis=0), level)
    return np.where(np.isnan(level), np.nan_to_num(known_mean(y, axis=1))[:, None], level)


def _at(y: Floats, columns: NDArray[np.int64]) -> Floats:
    """Some steps of every series; NaN outside of what is known."""
    known = (columns >= 0) & (columns < y.shape[1])
    return np.where(known, y[:, np.where(known, columns, 0)], np.nan)


def lagged(y: Floats, steps: int) -> Floats:
    """How each step differs from the one ``steps`` before; one NaN where there is no such pair."""
    return y[:, steps:] - y[:, :-steps] if y.shape[1] > steps else np.full((len(y), 1), np.nan)


def seasons_back(horizons: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """How far before each target the newest known step at its place in a season of ``steps`` lies."""
    return -(-horizons // steps) * steps


def deviation(values: Floats, axis: int) -> Floats:
    """Standard deviation of what is known; NaN where nothing is."""
    middle = np.expand_dims(known_mean(values, axis), axis)
    return np.sqrt(known_mean((values - middle) ** 2, axis))
