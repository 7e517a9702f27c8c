"""What a post will have gathered hours after posting, from its first hour: LightGBM on logs, conformal intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats
from kolray.models.success.forecaster import Forecast
from kolray.models.success.intervals import Intervals, fit_intervals
from kolray.models.success.posts import Posts

PARAMS: dict[str, Any] = {
    "objective": "l2",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.8,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
MOST_ROUNDS = 400
HELD_SHARE = 0.25
"""The newest share of the posts trained on, which sets the number of rounds and the intervals."""
MIN_POSTS = 100


@dataclass(frozen=True)
class YoungPosts:
    """Forecasts the count at step ``ahead`` from those of the first ``known`` steps."""

    booster: Any
    intervals: Intervals
    known: int
    ahead: int

    def forecast(self, counts: Floats) -> Forecast:
        """Of posts (posts, at least ``known`` steps); never below what a post is known to have."""
        early = counts[:, : self.known]
        last = last_value(early)
        grown = self.booster.predict(early_features(early), num_threads=1)
        predicted = (np.log1p(last) + np.maximum(grown, 0.0))[:, None]
        bounds = self.intervals.bounds(predicted, _size(early))
        value, lower, upper = (np.maximum(np.expm1(part[:, 0]), last) for part in (predicted, *bounds))
        # What is bounded are whole counts; a bound a hair above 0 would leave out the 0 that it stands for.
        return Forecast(value, np.minimum(np.rint(lower), value), np.maximum(np.rint(upper), value))


def early_features(early: Floats) -> Floats:
    """(posts, features) of the counts of the first steps: logs, their growth by step, and when counting was seen."""
    seen = ~np.isnan(early)
    logs = np.log1p(carried(early))
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), early.shape[1])
    parts = [logs, np.diff(logs, axis=1), seen.sum(axis=1)[:, None], first[:, None]]
    return np.concatenate(parts, axis=1)


def carried(counts: Floats) -> Floats:
    """Each step with the newest observed count up to it; 0 before the first."""
    place = np.where(np.isnan(counts), -1, np.arange(counts.shape[1]))
    newest = np.maximum.accumulate(place, axis=1)
    return np.where(newest < 0, 0.0, np.take_along_axis(counts, np.maximum(newest, 0), axis=1))


def last_value(early: Floats) -> Floats:
    """The newest observed count of each post; 0 without one."""
    return carried(early)[:, -1]


def _size(early: Floats) -> Floats:
    """What intervals are grouped by: the log of the newest count, NaN (a group of its own) where none was observed."""
    return np.where(np.isnan(early).all(axis=1), np.nan, np.log1p(last_value(early)))


def fit_young_posts(posts: Posts, known: int, ahead: int, seed: int) -> YoungPosts:
    """Fits on posts, oldest first; those whose count at step ``ahead`` is not observed tell nothing. Exact per seed.

    Raises:
        InvalidInputError: fewer than ``MIN_POSTS`` posts tell something.
    """
    import lightgbm as lgb

    told = posts.counts[~np.isnan(posts.counts[:, ahead - 1])]
    if len(told) < MIN_POSTS:
        raise InvalidInputError(
            f"{len(told)} posts have a count {ahead * posts.step_h:g} hours after posting; {MIN_POSTS} are needed"
        )
    early = told[:, :known]
    grown = np.log1p(told[:, ahead - 1]) - np.log1p(last_value(early))
    features = early_features(early)
    cut = round(len(told) * (1 - HELD_SHARE))
    params = PARAMS | {"seed": seed}
    held = lgb.Dataset(features[cut:], grown[cut:])
    trial = lgb.train(
        params,
        lgb.Dataset(features[:cut], grown[:cut]),
        MOST_ROUNDS,
        valid_sets=[held],
        callbacks=[lgb.early_stopping(30, verbose=False)],
    )
    missed = grown[cut:] - np.maximum(trial.predict(features[cut:]), 0.0)
    intervals = fit_intervals(missed[:, None], _size(early[cut:]))
    booster = lgb.train(params, lgb.Dataset(features, grown), max(trial.best_iteration, 1))
    return YoungPosts(booster, intervals, known, ahead)
