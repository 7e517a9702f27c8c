"""Forecasts of young posts judged on the newest of them, beside the last value and constant growth."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats, coverage
from kolray.models.success.posts import Posts
from kolray.models.success.young_posts import fit_young_posts, last_value

AGES = (2, 3, 6, 12, 24, 48)
"""Hours after posting that are judged too, as far as they lie before the one asked for."""
MIN_JUDGED = 20


@dataclass(frozen=True)
class YoungPostsReport:
    """RMSLE of the count ``horizon_h`` hours after posting from the first ``known_h``, over the newest posts.

    ``last_value``: nothing comes any more. ``constant_growth``: the mean growth, in logs, of the posts trained on.
    ``increment_rmsle``: of what comes after the known hours, where a level that is known cannot help; its baselines
    likewise. ``seen``: the same figures of posts with an observed count in the known hours. ``by_horizon``: by hours.
    """

    posts: int
    trained_on: int
    known_h: float
    horizon_h: float
    rmsle: float
    last_value_rmsle: float
    constant_growth_rmsle: float
    increment_rmsle: float
    last_value_increment_rmsle: float
    constant_growth_increment_rmsle: float
    coverage_90: float
    seen: dict[str, float] = field(default_factory=dict)
    by_horizon: list[dict[str, float]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge_young_posts(
    posts: Posts, known_h: float, horizon_h: float, seed: int, test_share: float = 0.3
) -> YoungPostsReport:
    """Fits on the older posts, judges on the newest ``test_share`` of those with a count at the horizon.

    Raises:
        InvalidInputError: a time that is no whole number of steps or not after the known ones, or too few posts.
    """
    if horizon_h <= known_h:
        raise InvalidInputError(f"{horizon_h:g} hours after posting are not after the known {known_h:g}")
    known = posts.steps(known_h)
    asked = _judged(posts, known, posts.steps(horizon_h), seed, test_share)
    ages = [age for age in AGES if known_h < age < horizon_h and (age / posts.step_h).is_integer()]
    others = [
        {"horizon_h": float(age)} | _judged(posts, known, posts.steps(age), seed, test_share)["all"] for age in ages
    ]
    return YoungPostsReport(
        posts=asked["posts"],
        trained_on=asked["trained_on"],
        known_h=known_h,
        horizon_h=horizon_h,
        **asked["all"],
        seen=asked["seen"],
        by_horizon=[*others, {"horizon_h": horizon_h} | asked["all"]],
    )


def _judged(posts: Posts, known: int, ahead: int, seed: int, test_share: float) -> dict[str, Any]:
    told = posts.counts[~np.isnan(posts.counts[:, ahead - 1])]
    cut = int(len(told) * (1 - test_share))
    older, newer = told[:cut], told[cut:]
    if len(newer) < MIN_JUDGED:
        raise InvalidInputError(f"{len(newer)} of {len(told)} posts to judge on; {MIN_JUDGED} are needed")
    made = fit_young_posts(Posts(older, posts.step_h), known, ahead, seed).forecast(newer)
    growth = float(np.mean(np.log1p(older[:, ahead - 1]) - np.log1p(last_value(older[:, :known]))))
    last, actual = last_value(newer[:, :known]), newer[:, ahead - 1]
    rows = {"": made.value, "last_value_": last, "constant_growth_": np.expm1(np.log1p(last) + growth)}
    inside = (made.lower, made.upper)
    seen = (~np.isnan(newer[:, :known])).sum(axis=1) > 0

    def figures(of: NDArray[np.bool_]) -> dict[str, float]:
        told = {f"{who}rmsle": _rmsle(actual[of], values[of]) for who, values in rows.items()}
        gained = {
            f"{who}increment_rmsle": _rmsle((actual - last)[of], (values - last)[of]) for who, values in rows.items()
        }
        return told | gained | {"coverage_90": coverage(actual[of], *(bound[of] for bound in inside))}

    everyone = np.ones(len(newer), dtype=bool)
    return {
        "posts": len(newer),
        "trained_on": len(older),
        "all": figures(everyone),
        "seen": {"posts": float(seen.sum())} | (figures(seen) if seen.any() else {}),
    }


def _rmsle(actual: Floats, forecast: Floats) -> float:
    """Root mean squared difference of ``log(1 + count)``; what fell below 0 counts as 0."""
    return float(np.sqrt(np.mean((np.log1p(np.maximum(actual, 0)) - np.log1p(np.maximum(forecast, 0))) ** 2)))
