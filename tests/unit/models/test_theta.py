"""The Theta member: trend, season and level of single series, with gaps and without."""

from __future__ import annotations

import numpy as np
import pytest

from kolray.models.metrics import Floats
from kolray.models.success.series import Panel
from kolray.models.success.theta import theta


def panel(values: Floats) -> Panel:
    return Panel([f"s{i}" for i in range(len(values))], np.full(len(values), np.datetime64("2026-01-01", "ms")), values)


def test_a_constant_goes_on() -> None:
    assert theta(panel(np.full((2, 40), 3.5)), 6, 4) == pytest.approx(3.5)


def test_a_line_goes_on_with_half_of_its_slope_from_where_it_is() -> None:
    made = theta(panel(np.arange(60.0)[None, :]), 5, 1)
    assert np.diff(made) == pytest.approx(0.5)
    assert made[0, 0] == pytest.approx(59.0, abs=1.5)


@pytest.mark.parametrize("length", [48, 51, 55])
def test_a_season_goes_on_wherever_history_ends(length: int) -> None:
    steps = np.arange(length + 12)
    wave = 5 * np.sin(steps / 12 * 2 * np.pi) + np.random.default_rng(1).normal(0, 0.05, len(steps))
    made = theta(panel(wave[None, :length]), 12, 12)
    assert made[0] == pytest.approx(wave[length:], abs=0.6)


def test_noise_has_no_season() -> None:
    noise = np.random.default_rng(2).normal(10, 1, (1, 84))
    made = theta(panel(noise), 12, 12)
    assert np.ptp(made) < 0.5


def test_gaps_and_a_late_beginning_change_little() -> None:
    steps = np.arange(120)
    wave = 20 + 5 * np.sin(steps / 12 * 2 * np.pi)
    values = np.stack([wave, wave, wave])
    values[1, [30, 31, 50, 77, 101]] = np.nan
    values[2, :50] = np.nan
    made = theta(panel(values[:, :108]), 12, 12)
    assert made == pytest.approx(np.broadcast_to(wave[108:], (3, 12)), abs=1.0)


def test_a_series_without_a_value_has_none() -> None:
    values = np.full((2, 30), np.nan)
    values[0] = 1.0
    made = theta(panel(values), 4, 7)
    assert made[0] == pytest.approx(1.0)
    assert np.isnan(made[1]).all()
