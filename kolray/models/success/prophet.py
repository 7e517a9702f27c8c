"""Prophet for the important series, those of the largest volume: one fit a series, blended in where it helps them.

It is fitted where there is time: in training, to learn whether it earns a weight among the important series, and in
the batch that forecasts them, if it did. Never in a request: without it, or where a fit fails or takes too long, the
blend of all series answers.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats
from kolray.models.success.blend import Blend, fit_blend
from kolray.models.success.calendar import LOCAL, holidays_between
from kolray.models.success.design import Design
from kolray.models.success.series import Panel

PROPHET = "prophet"
ORDER = 8
"""Sine waves of a season, and of a long one; half its steps at most. Prophet's own 4 and 3 are too smooth for hours."""
LIMIT_S = 30
"""Seconds of a fit after which it is given up; a month of hours takes a third of one."""
MIN_SEASONS = 2
"""Seasons a series must be known for."""
_DAY = np.timedelta64(1, "D")

Fit = Callable[[Panel, Design, int], Floats]
"""Forecasts (series, steps) after a panel's end, on the panel's scale; rows of NaN where a fit failed."""


@dataclass(frozen=True)
class Prophets:
    """How many series of the largest volume are fitted, and what fits them (``fit_here`` or Ray tasks)."""

    important: int
    fit: Fit

    def forecast(self, scaled: Panel, volume: Floats, design: Design, horizon: int) -> Floats:
        """(series, horizon) after a panel's end, on the model's scale; NaN of all but the important, by ``volume``."""
        made = np.full((len(scaled.ids), horizon), np.nan)
        chosen = np.sort(np.argsort(-volume, kind="stable")[: self.important])
        made[chosen] = self.fit(scaled.of(chosen), design, horizon)
        return made


@dataclass(frozen=True)
class Important:
    """What Prophet earned: the blend of the ``series`` of the largest volume, in which it has a weight."""

    series: int
    blend: Blend

    def blended(self, predicted: Floats, made: Mapping[str, Floats], told: Floats) -> Floats:
        """``predicted`` with the series that Prophet (``told``) says something of by their own blend."""
        own = self.blend.of({**made, PROPHET: told})
        return np.where(np.isnan(told).all(axis=1, keepdims=True), predicted, own)


def earned(forecasts: Mapping[str, Floats], truth: Floats, origins: NDArray[np.int64], without: Floats) -> Blend | None:
    """The blend of the series that Prophet says something of; none where it does not help them.

    Few series agree by chance, so it has to lower their error at origins that the weights were not learnt at, too.

    Args:
        forecasts: of each member (series at all origins, horizons), as ``truth``.
        origins: of each row.
        without: the blend of all series.
    """
    own = fit_blend(forecasts, truth)
    if PROPHET not in own.weights:
        return None
    gain = 0.0
    for origin in np.unique(origins):
        mine, rest = origins == origin, origins != origin
        learnt = fit_blend({name: part[rest] for name, part in forecasts.items()}, truth[rest]) if rest.any() else own
        made = learnt.of({name: part[mine] for name, part in forecasts.items()})
        better = np.abs(truth - without)[mine] - np.abs(truth[mine] - made)
        gain += float(np.nansum(np.where(np.isnan(forecasts[PROPHET][mine]), np.nan, better)))
    return own if gain > 0 else None


def fit_of(prophets: Prophets | None) -> Fit | None:
    """What fits, where anything does."""
    return None if prophets is None else prophets.fit


def fit_here(panel: Panel, design: Design, steps: int) -> Floats:
    """One after the other in this process."""
    said = [
        forecast_one(values, end, panel, design, steps) for values, end in zip(panel.values, panel.ends, strict=True)
    ]
    return np.stack(said) if said else np.empty((0, steps))


def forecast_one(values: Floats, end: np.datetime64, panel: Panel, design: Design, steps: int) -> Floats:
    """A series' next ``steps``, or NaN where Prophet cannot tell; of ``panel`` only the step is used."""
    silent = np.full(steps, np.nan)
    values = values[-design.lookback :]
    if (~np.isnan(values)).sum() < MIN_SEASONS * design.season:
        return silent
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas' about Prophet's way of using it
            return _fitted(values, end, np.timedelta64(panel.step), design, steps)
    except Exception:  # one series that Prophet, pandas or Stan cannot take stops no other
        logging.getLogger(__name__).warning("a Prophet fit failed and is left out", exc_info=True)
        return silent


def _fitted(values: Floats, end: np.datetime64, step: np.timedelta64, design: Design, steps: int) -> Floats:
    import pandas as pd

    at = end + np.timedelta64(LOCAL) + step * np.arange(-len(values), steps)
    model = _quiet_prophet()(
        daily_seasonality=False,
        weekly_seasonality=False,
        yearly_seasonality=False,
        uncertainty_samples=0,
        holidays=_holidays(at) if design.calendar else None,
    )
    known = np.flatnonzero(~np.isnan(values))
    for name, size in (("season", design.season), ("long", design.long_season)):
        if len(values) - known[0] >= MIN_SEASONS * size and size > 1:
            model.add_seasonality(name, period=size * float(step / _DAY), fourier_order=min(ORDER, size // 2))
    model.fit(pd.DataFrame({"ds": at[known], "y": values[known]}), seed=1, timeout=LIMIT_S)
    made = np.asarray(model.predict(pd.DataFrame({"ds": at[len(values) :]}))["yhat"], dtype=float)
    return np.where(np.isfinite(made), made, np.nan)


def _holidays(at: NDArray[np.datetime64]) -> Any:
    import pandas as pd

    found = holidays_between(at[0], at[-1])
    return pd.DataFrame({"ds": [day for day, _ in found], "holiday": [name for _, name in found]}) if found else None


def _quiet_prophet() -> Any:
    for name in ("prophet", "prophet.plot", "cmdstanpy"):  # they announce plotly's absence and every fit
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from prophet import Prophet

    return Prophet
