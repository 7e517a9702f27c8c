"""Members, their blend and its intervals as one forecaster of a panel, fitted on rolling origins.

The blend and the intervals come from forecasts made at the newest origins, a horizon apart, by members that were
trained before the first of them; then the members are trained once more on all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from kolray.models.metrics import Floats, known_mean
from kolray.models.splits import rolling_origins
from kolray.models.success.blend import Blend, fit_blend
from kolray.models.success.design import Design
from kolray.models.success.intervals import Intervals, fit_intervals, restlessness
from kolray.models.success.members import (
    LIGHTGBM,
    LONG_NAIVE,
    MIN_HISTORY,
    NAIVE,
    ROUNDS_TRIED,
    SERVED,
    SIMPLE,
    THETA,
    Global,
    fit_global,
    seasonal_naive,
)
from kolray.models.success.prophet import PROPHET, Fit, Important, Prophets, earned
from kolray.models.success.scale import from_scale, to_scale, units_of
from kolray.models.success.series import Panel, stacked
from kolray.models.success.theta import theta

LOST = 2.0
"""Times the error of a simple member at which a series is taken out of the blend's hands."""
INNER_ORIGINS = 2
"""Of few series more, for ``INNER_FORECASTS`` of a series; they take ``INNER_PART`` of the steps at most."""
INNER_FORECASTS, INNER_PART = 200, 0.3


class Forecast(NamedTuple):
    """Three arrays (series, horizons) in the series' own units; ``lower <= value <= upper``."""

    value: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class Forecaster:
    """Forecasts every series of a panel.

    ``counts``: values are counts: their unit is 1 and no forecast is negative. A forecast that is nearer to 0 than to
    the least that a series with zeros ever had is 0.
    ``important``: none where Prophet was not run or earned nothing.
    """

    members: Global
    blend: Blend
    intervals: Intervals
    counts: bool
    important: Important | None = None

    @property
    def design(self) -> Design:
        return self.members.design

    def forecast(self, panel: Panel, horizon: int | None = None, fit: Fit | None = None) -> Forecast:
        """The ``horizon`` (none: the largest) steps after the panel's end.

        Args:
            fit: fits Prophet to the panel's important series, where it earned a weight; none: all do without it.
        """
        horizon = horizon or self.design.max_horizon
        units = units_of(panel, counts=self.counts)
        scaled = panel.holding(to_scale(panel.values, units))
        predicted = self._blended(panel, scaled, horizon, fit)
        bounds = self.intervals.bounds(predicted, restlessness(scaled, self.design.season))
        value, lower, upper = (from_scale(part, units) for part in (predicted, *bounds))
        value = np.where(np.abs(value) < self._least(panel), 0.0, value)
        if self.counts or not (panel.values < 0).any():
            low = np.zeros((len(value), 1))
        else:  # a series that was never negative is not forecast to be
            low = np.where((panel.values < 0).any(axis=1, keepdims=True), -np.inf, 0.0)
        value, lower, upper = (np.maximum(part, low) for part in (value, lower, upper))
        return Forecast(value, np.minimum(lower, value), np.maximum(upper, value))

    def _least(self, panel: Panel) -> Floats:
        """Half of the smallest count, or of the smallest size seen of a series that knows silence (series, 1)."""
        if self.counts:
            return np.full((len(panel.ids), 1), 0.5)
        size = np.abs(panel.values)
        least = np.where(size > 0, size, np.inf).min(axis=1, keepdims=True, initial=np.inf)
        return np.where((size == 0).any(axis=1, keepdims=True) & np.isfinite(least), least / 2, 0.0)

    def _blended(self, panel: Panel, scaled: Panel, horizon: int, fit: Fit | None) -> Floats:
        if self.important is None or fit is None:
            blended = self.blend.of(run_members(self.members, scaled, horizon, self.blend.weights))
            return blended if self.counts else self._guarded(scaled, blended)
        own = self.important
        made = run_members(self.members, scaled, horizon, {*self.blend.weights, *own.blend.weights})
        told = Prophets(own.series, fit).forecast(scaled, volumes(panel), self.design, horizon)
        return own.blended(self.blend.of(made), made, told)

    def _guarded(self, scaled: Panel, blended: Floats) -> Floats:
        """The blend, or a simple member for series of which the blend misses even the newest steps by far.

        Such a series has moved to where no other was, so that what was learnt is of no use: the booster was trained on
        these steps, and yet errs more than ``LOST`` times as much as a member that was not. Counts are left alone, as
        someone would wait for the second forecast.
        """
        horizon = blended.shape[1]
        newest = scaled.values.shape[1] - min(horizon, scaled.values.shape[1] // 3)
        past, truth = scaled.before(newest), scaled.values[:, newest:]
        steps = truth.shape[1]
        tried = run_members(self.members, past, steps, {*self.blend.weights, *SIMPLE})
        errors = {name: known_mean(np.abs(truth - tried[name]), axis=1) for name in SIMPLE}
        own = known_mean(np.abs(truth - self.blend.of(tried)), axis=1)
        now = run_members(self.members, scaled, horizon, SIMPLE)
        best = np.full(len(own), np.inf)
        for name in SIMPLE:
            better = (errors[name] * LOST < own) & (errors[name] < best) & ~np.isnan(now[name]).any(axis=1)
            blended = np.where(better[:, None], now[name], blended)
            best = np.where(better, errors[name], best)
        return blended


def run_members(members: Global, scaled: Panel, horizon: int, only: Collection[str] | None = None) -> dict[str, Floats]:
    """Forecasts on the model's scale by member: all, or those that are named."""
    design = members.design
    ways: dict[str, Callable[[], Floats]] = {
        LIGHTGBM: lambda: members.forecast(scaled, horizon),
        NAIVE: lambda: seasonal_naive(scaled.values, horizon, design.season),
        LONG_NAIVE: lambda: seasonal_naive(scaled.values, horizon, design.long_season),
        THETA: lambda: theta(scaled, horizon, design.season),
    }
    return {name: way() for name, way in ways.items() if only is None or name in only}


def volumes(panel: Panel) -> Floats:
    """How much each series holds, by which the important ones are chosen."""
    return np.asarray(np.nansum(np.abs(panel.values), axis=1))


def fit_forecaster(
    panel: Panel, design: Design, params: dict[str, Any], seed: int, *, counts: bool, prophets: Prophets | None = None
) -> Forecaster:
    """Fits members, blend and intervals on all that the panel holds. Exact per seed."""
    return fit_forecasters({"": panel}, design, params, seed, counts=counts, prophets=prophets)[""]


def fit_forecasters(
    panels: Mapping[str, Panel],
    design: Design,
    params: dict[str, Any],
    seed: int,
    *,
    counts: bool,
    prophets: Prophets | None = None,
) -> dict[str, Forecaster]:
    """One forecaster a panel, all on one grid: members of all panels together, blend and intervals of each.

    Args:
        prophets: fits Prophet to each panel's important series, which then have a blend of their own.
    """
    scaled = {name: scaled_panel(panel, counts=counts) for name, panel in panels.items()}
    together = stacked(list(scaled.values()))
    cuts = inner_origins(together, design)
    early = fit_global(together.before(cuts[0]), design, params, seed)
    rounds = best_rounds(early, together, cuts)
    early = replace(early, rounds=rounds)
    params = params if rounds is None else {**params, "rounds": rounds}
    run = SERVED if counts else (*SERVED, THETA)
    judged = {
        name: judge_members(early, own, cuts, run, prophets, volumes(panels[name].before(cuts[0])))
        for name, own in scaled.items()
    }
    members = fit_global(together, design, params, seed)
    return {
        name: Forecaster(members, blend, intervals, counts, important)
        for name, (blend, intervals, important) in judged.items()
    }


def scaled_panel(panel: Panel, *, counts: bool) -> Panel:
    """The panel on the model's scale."""
    return panel.holding(to_scale(panel.values, units_of(panel, counts=counts)))


def inner_origins(panel: Panel, design: Design) -> list[int]:
    """Where members are judged that were trained before the first: of few series at more, as far as history lasts.

    History lasts from where the typical series begins: one that is much older would leave the others nothing to learn.
    """
    n, horizon = panel.values.shape[1], design.max_horizon
    known = ~np.isnan(panel.values)
    begins = int(np.median(np.where(known.any(axis=1), known.argmax(axis=1), n)))
    wanted = -(-INNER_FORECASTS // max(len(panel.ids), 1))
    origins = max(INNER_ORIGINS, min(wanted, int(INNER_PART * (n - begins) / horizon)))
    return rolling_origins(n, horizon, origins, begins + min(MIN_HISTORY, n - begins - horizon))


def best_rounds(early: Global, scaled: Panel, cuts: Sequence[int]) -> int | None:
    """How many rounds of boosting forecast best at origins after those it was trained on, by mean absolute error.

    None: all; also where it was trained on less than half of what the final members will see, which tells little.
    """
    if cuts[0] < scaled.values.shape[1] / 2:
        return None
    every = early.booster.num_trees()
    tried = sorted({max(1, round(part * every)) for part in ROUNDS_TRIED})
    horizon = early.design.max_horizon
    missed = np.zeros(len(tried))
    for cut in cuts:
        truth = scaled.values[:, cut : cut + horizon]
        made = early.after_rounds(scaled.before(cut), horizon, tried)
        missed += [float(np.nansum(np.abs(truth - part))) for part in made]
    best = tried[int(np.argmin(missed))]
    return None if best == every else best


def judge_members(
    early: Global,
    scaled: Panel,
    cuts: Sequence[int],
    run: Collection[str],
    prophets: Prophets | None,
    volume: Floats,
) -> tuple[Blend, Intervals, Important | None]:
    """What forecasts at ``cuts`` by members that were trained before the first of them tell of weights and errors."""
    horizon = early.design.max_horizon
    pasts = [scaled.before(cut) for cut in cuts]
    made = [run_members(early, past, horizon, run) for past in pasts]
    truth = np.concatenate([scaled.values[:, cut : cut + horizon] for cut in cuts])
    # A series that began after an origin was not there to be forecast.
    unseen = np.concatenate([np.isnan(past.values).all(axis=1) for past in pasts])
    truth[unseen] = np.nan
    forecasts = {name: np.concatenate([part[name] for part in made]) for name in made[0]}
    blend, important = fit_blend(forecasts, truth), None
    predicted = blend.of(forecasts)
    if prophets is not None:
        told = np.concatenate([prophets.forecast(past, volume, early.design, horizon) for past in pasts])
        origins = np.repeat(np.arange(len(cuts)), len(scaled.ids))
        own = earned({**forecasts, PROPHET: told}, truth, origins, predicted)
        if own is not None:
            important = Important(prophets.important, own)
            predicted = important.blended(predicted, forecasts, told)
    restless = np.concatenate([restlessness(past, early.design.season) for past in pasts])
    return blend, fit_intervals(truth - predicted, restless), important
