"""What dates tell of a step: hour, weekday and holidays, of local time in Vietnam."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kolray.models.metrics import Floats
from kolray.models.success.series import Panel

LOCAL = timedelta(hours=7)
CALENDAR = ("hour", "weekday", "holiday", "days_to_tet")
TET_DAYS = 20
"""Days before and after the lunar new year's day within which its distance counts."""
_HOUR, _DAY = np.timedelta64(1, "h"), np.timedelta64(1, "D")


def calendar(history: Panel, horizons: NDArray[np.int64]) -> list[Floats]:
    """``CALENDAR`` of each series and horizon: hour, weekday (0 = Monday), holiday (0 or 1), days to Tết (NaN: far)."""
    at = history.ends[:, None] + (horizons - 1)[None, :] * np.timedelta64(history.step) + np.timedelta64(LOCAL)
    day = at.astype("datetime64[D]")
    hour = ((at - day) // _HOUR).astype(float)
    weekday = ((day.astype(np.int64) + 3) % 7).astype(float)
    days, inverse = np.unique(day, return_inverse=True)
    told = np.array([_told(int(number)) for number in days.astype(np.int64)]).reshape(-1, 2)[inverse.reshape(day.shape)]
    return [hour, weekday, told[..., 0], told[..., 1]]


@lru_cache(maxsize=4096)
def _told(day: int) -> tuple[float, float]:
    """Holiday and days to Tết of a day since the epoch."""
    date = np.datetime64(day, "D")
    years = range(int(str(date)[:4]) - 1, int(str(date)[:4]) + 2)
    holidays, new_years = _holidays(tuple(years))
    near = min(((day - tet) for tet in new_years), key=abs, default=10**6)
    return float(day in holidays), float(near) if abs(near) <= TET_DAYS else float("nan")


def holidays_between(first: np.datetime64, last: np.datetime64) -> list[tuple[np.datetime64, str]]:
    """Vietnam's public holidays of local days ``first`` … ``last``, with their English names."""
    days = [moment.astype("datetime64[D]") for moment in (first, last)]
    years = tuple(range(*(int(str(day)[:4]) + more for day, more in zip(days, (0, 1), strict=True))))
    found = ((np.datetime64(day, "D"), name) for day, name in _named(years).items())
    return sorted((day, name) for day, name in found if days[0] <= day <= days[1])


@lru_cache(maxsize=64)
def _holidays(years: tuple[int, ...]) -> tuple[frozenset[int], tuple[int, ...]]:
    """Vietnam's public holidays, and its lunar new year's days, as days since the epoch."""
    days = _named(years)
    return frozenset(days), tuple(day for day, name in days.items() if name == "Lunar New Year")


@lru_cache(maxsize=64)
def _named(years: tuple[int, ...]) -> dict[int, str]:
    """Days since the epoch → names of Vietnam's public holidays."""
    import holidays

    found = holidays.country_holidays("VN", years=years, language="en_US")
    return {int(np.datetime64(day, "D").astype(np.int64)): name for day, name in found.items()}
