"""What KOLs would have had without their campaign: learnt from KOLs without one, over the same hours.

Controls tell how the hours in question depend on the hours before (a regression with one row a KOL), so what moves all
KOLs at once, a weekend, a holiday or a platform that counts anew, cancels out as in difference in differences, while
each KOL keeps its own course of the day. Every control is at the same time a placebo campaign: the regression made
without it is compared with what it had, and the spread of those comparisons is the spread of an effect where there is
none. Where controls and the treated were chosen alike, intervals from it are exact in finite samples.

References: Athey, Bayati, Doudchenko, Imbens & Khosravi, Matrix Completion Methods for Causal Panel Data Models, JASA
2021 (regression over units, "unconfoundedness"); Abadie, Diamond & Hainmueller, JASA 2010 (placebo inference).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats, known_mean
from kolray.models.success.design import deviation

DAY = 24
LOOKBACK_H = 7 * DAY
MIN_BEFORE_H = 6
"""Hours before the start without which there is no baseline."""
MIN_CONTROLS = 40
"""With fewer placebos there is no 5 % on each side."""
RECENT_H = (3, 6, 12, 24, 72)
PENALTIES = np.array([3.0, 30.0, 100.0, 300.0, 1000.0, 3000.0])
PLACEBOS = 200
"""Placebos of one comparison that are kept, by quantile."""
NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True)
class Compared:
    """``effect``: log of what KOLs had over what they would have had; NaN where that is not known.

    ``spread``: of each effect where there is none, as a standard deviation that outliers do not move. ``placebos``:
    effects of controls over their spread.
    """

    effect: Floats
    spread: Floats
    placebos: Floats


def compare(before: Floats, during: Floats, n_treated: int) -> Compared | None:
    """Effects in the hours ``during``, by ``before``; None with fewer than ``MIN_CONTROLS`` controls.

    Args:
        before: (KOLs, hours) log(1 + count), NaN where not known; the first ``n_treated`` rows have the campaign, the
            others have none in any of these hours.
        during: the same of the hours that are compared.
    """
    own, told, about = _described(before, during)
    gained = np.log1p(np.nansum(np.expm1(during), axis=1)) - own
    usable = np.isfinite(told).all(axis=1) & np.isfinite(about).all(axis=1) & (~np.isnan(during)).any(axis=1)
    control = usable & (np.arange(len(before)) >= n_treated)
    if control.sum() < MIN_CONTROLS:
        return None
    expected, placebo = _regressed(told, gained, control, n_treated)
    log_size = np.log(np.abs(placebo) + 0.01)
    ones = np.column_stack([np.ones(len(about)), about])
    size = ones @ np.linalg.lstsq(ones[control], log_size, rcond=None)[0]
    scaled = placebo / np.exp(size[control])
    unit = max(NORMAL_MAD * float(np.median(np.abs(scaled))), 1e-6)
    effect = np.where(usable, gained, np.nan)[:n_treated] - expected
    return Compared(
        effect, np.exp(size[:n_treated]) * unit, np.quantile(scaled / unit, (np.arange(PLACEBOS) + 0.5) / PLACEBOS)
    )


def _described(before: Floats, during: Floats) -> tuple[Floats, Floats, Floats]:
    """Log of what each KOL's own average day promises for the known hours, what the departure from that is learnt
    from, and what its spread is learnt from.
    """
    n, hours = before.shape
    days = min(hours, LOOKBACK_H) // DAY
    if days:
        newest = before[:, hours - DAY * days :].reshape(n, days, DAY)
        level = known_mean(newest.reshape(n, -1), axis=1)[:, None]
        day = known_mean(newest, axis=1)
        day = np.where(np.isnan(day), level, day)
        moves = (newest - day[:, None, :]).reshape(n, -1)
        lately = [np.nan_to_num(known_mean(moves[:, -h:], axis=1))[:, None] for h in RECENT_H if h < DAY * days]
        told = np.concatenate([day - level, level, *lately], axis=1)
    else:  # less than a day: no course of the day of its own
        level = known_mean(before, axis=1)[:, None]
        day, moves = level, before - level
        told = np.concatenate([np.nan_to_num(moves), level], axis=1)
    course = day[:, np.arange(during.shape[1]) % day.shape[1]]
    own = np.log1p(np.where(np.isnan(during), 0.0, np.exp(course)).sum(axis=1))
    restless = np.log(deviation(moves if days != 1 else before - level, axis=1)[:, None] + 0.02)
    return own, told, np.concatenate([level, restless, level**2, restless**2], axis=1)


def _regressed(told: Floats, gained: Floats, control: NDArray[np.bool_], n_treated: int) -> tuple[Floats, Floats]:
    """What the treated are expected to gain, and what the regression without each of the controls misses of it."""
    from sklearn.linear_model import RidgeCV

    middle, scale = told[control].mean(axis=0), told[control].std(axis=0) + 1e-9
    x = np.nan_to_num((told - middle) / scale)
    # The penalty is chosen by absolute errors: squared ones would follow the few KOLs with an event of their own.
    model = RidgeCV(PENALTIES, scoring="neg_mean_absolute_error", store_cv_results=True).fit(
        x[control], gained[control]
    )
    without = model.cv_results_[:, int(np.flatnonzero(model.alpha_ == PENALTIES)[0])]
    return model.predict(x[:n_treated]), gained[control] - without
