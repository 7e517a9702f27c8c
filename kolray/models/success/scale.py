"""The scale on which series are compared: signed ``log1p`` of a value over its series' unit.

Counts have the unit 1. Of other series it is a part of their own mean size, so that a series of shares and one of
millions look alike, values far below the mean are not blown up, and negative values have a place.
"""

from __future__ import annotations

import numpy as np

from kolray.models.metrics import Floats, known_mean
from kolray.models.success.series import Panel

PART_OF_MEAN = 0.05


def units_of(panel: Panel, *, counts: bool) -> Floats:
    """``PART_OF_MEAN`` of each series' mean absolute value (series, 1); 1 of counts, and where it is 0 or not known."""
    if counts:
        return np.ones((len(panel.ids), 1))
    unit = PART_OF_MEAN * known_mean(np.abs(panel.values), axis=1)[:, None]
    return np.where(unit > 0, unit, 1.0)


def to_scale(values: Floats, units: Floats) -> Floats:
    """Values (series, steps) on the model's scale."""
    return np.sign(values) * np.log1p(np.abs(values) / units)


def from_scale(scaled: Floats, units: Floats) -> Floats:
    """The inverse of ``to_scale``."""
    return np.sign(scaled) * np.expm1(np.abs(scaled)) * units
