"""The members of the blend: each forecasts every series of a panel from what is known at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats
from kolray.models.success.beside import BESIDE
from kolray.models.success.design import Design, seasons_back
from kolray.models.success.series import Panel

LIGHTGBM, NAIVE, LONG_NAIVE, THETA = "lightgbm", "seasonal_naive", "long_seasonal_naive", "theta"
SIMPLE = (NAIVE, THETA)
SERVED = (LIGHTGBM, NAIVE, LONG_NAIVE)
"""Members whose forecast of one series costs so little that it may be made while someone waits."""
DEFAULTS: dict[str, Any] = {
    "objective": "l1",
    "num_leaves": 31,
    "learning_rate": 0.08,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.6,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "rounds": 180,
    "rows": 160_000,
}
"""LightGBM's parameters, boosting ``rounds`` and the largest number of training ``rows``."""
HIDDEN = 0.1
"""Part of the training rows that do not see the covariates."""
ROUNDS_TRIED = (0.03, 0.1, 0.3, 1.0)
"""Parts of the boosting rounds that are tried on the inner origins: few series are soon learnt by heart."""
MIN_HISTORY = 12
"""Steps before the first origin that is learnt from."""


@dataclass(frozen=True)
class Global:
    """One LightGBM for all series and horizons; values in and out are on the model's scale.

    ``rounds``: only so many of the booster's count; none: all.
    """

    booster: Any
    design: Design
    rounds: int | None = None

    def forecast(self, scaled: Panel, horizon: int) -> Floats:
        """(series, horizon) of the steps after the panel's end."""
        rows, level = self.design.rows(scaled, np.arange(1, horizon + 1))
        departs = self.booster.predict(rows, num_iteration=self.rounds, num_threads=1)
        return (level + departs).reshape(len(scaled.ids), horizon)

    def after_rounds(self, scaled: Panel, horizon: int, rounds: Sequence[int]) -> Iterator[Floats]:
        """``forecast`` as it was after so many rounds of boosting, ascending."""
        rows, level = self.design.rows(scaled, np.arange(1, horizon + 1))
        made, done = level, 0
        for wanted in rounds:
            made = made + self.booster.predict(rows, start_iteration=done, num_iteration=wanted - done, num_threads=1)
            done = wanted
            yield made.reshape(len(scaled.ids), horizon)


def fit_global(scaled: Panel, design: Design, params: dict[str, Any], seed: int) -> Global:
    """Trained on targets within the panel; ``params`` as ``DEFAULTS``.

    Raises:
        InvalidInputError: too little of the panel is known.
    """
    import lightgbm as lgb

    own, rounds, n_rows = booster_params(params, seed)
    x, y = training_rows(scaled, design, n_rows, seed)
    if not len(x):
        raise InvalidInputError(
            f"of the {scaled.values.shape[1]} steps before the first inner origin too few are known to learn "
            f"{design.max_horizon} steps ahead from. Choose fewer origins or a shorter horizon, or wait for more."
        )
    data = lgb.Dataset(x, y, feature_name=list(design.names))
    return Global(lgb.train(own, data, rounds), design)


def booster_params(params: dict[str, Any], seed: int) -> tuple[dict[str, Any], int, int]:
    """LightGBM's own parameters, its rounds, and the largest number of training rows; ``params`` as ``DEFAULTS``."""
    own = {**DEFAULTS, **params}
    rounds, n_rows = int(own.pop("rounds")), int(own.pop("rows"))
    own |= {"seed": seed, "deterministic": True, "force_row_wise": True, "verbose": -1}
    # One thread: on shared cores OpenMP's threads spin for each other (measured 1.8 s against 8.6 s with two).
    return {**own, "num_threads": 1}, rounds, n_rows


def training_rows(scaled: Panel, design: Design, n_rows: int, seed: int) -> tuple[Floats, Floats]:
    """Rows of the design and how their truths depart from the level; about ``n_rows`` at most, newest origin first.

    Origins are an eighth of a season apart, further where that would be too many rows, and never a season apart, which
    would show every horizon at one place of the season only; each has a random part of the series.
    """
    rng = np.random.default_rng(seed)
    n = scaled.values.shape[1]
    seen = int((~np.isnan(scaled.values)).sum()) * min(design.max_horizon, n)
    step = int(np.clip(seen // max(n_rows, 1), max(design.season // 8, 1), max(design.season - 1, 1)))
    origins = range(n - 1, min(MIN_HISTORY, n // 2) - 1, -step)
    share = min(1.0, n_rows * step / max(seen, 1))
    xs, ys = [], []
    for origin in origins:
        horizons = np.arange(1, min(design.max_horizon, n - origin) + 1)
        known = np.flatnonzero(~np.isnan(scaled.values[:, :origin]).all(axis=1))
        mine = scaled.of(np.sort(rng.permutation(known)[: max(round(share * len(known)), 1)]))
        rows, level = design.rows(mine.before(origin), horizons)
        departs = mine.values[:, origin : origin + len(horizons)].ravel() - level
        told = ~np.isnan(departs)
        xs.append(rows[told])
        ys.append(departs[told])
    x = np.concatenate(xs)
    if design.covariates:  # so that a KOL of whom nothing is known is no stranger
        hidden = np.flatnonzero(rng.random(len(x)) < HIDDEN)
        x[np.ix_(hidden, np.flatnonzero(np.isin(design.names, BESIDE)))] = np.nan
    if design.calendar and n < 2 * design.long_season:  # a weekday seen once is only a date
        x[:, design.names.index("weekday")] = 0.0
    return x, np.concatenate(ys)


def seasonal_naive(values: Floats, horizon: int, season: int) -> Floats:
    """The newest known value a whole number of seasons before each step; NaN where there is none."""
    n = values.shape[1]
    out = np.full((len(values), horizon), np.nan)
    target = n + np.arange(horizon)
    first = seasons_back(np.arange(1, horizon + 1), season)
    for back in range(n // season + 1):
        columns = target - first - back * season
        inside = columns >= 0
        found = np.where(inside, values[:, np.where(inside, columns, 0)], np.nan)
        out = np.where(np.isnan(out), found, out)
        if not np.isnan(out).any():
            break
    return out
