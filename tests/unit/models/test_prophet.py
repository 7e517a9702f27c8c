"""Prophet as a member: real fits of a daily wave, what failed fits do, and who is important."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kolray.models.metrics import Floats
from kolray.models.success import SuccessModel
from kolray.models.success.blend import Blend, fit_blend
from kolray.models.success.calendar import holidays_between
from kolray.models.success.design import Design
from kolray.models.success.forecaster import fit_forecaster
from kolray.models.success.members import NAIVE
from kolray.models.success.prophet import PROPHET, Important, Prophets, earned, fit_here
from kolray.models.success.series import Panel
from tests.unit.models.test_backtest import DAILY, FAST, waves

HOUR = np.timedelta64(1, "h")
TRUTH = waves(12, 24 * 14)
"""What an oracle knows: two days more than the panel ends with."""
PANEL = TRUTH.before(24 * 12)


def oracle(panel: Panel, design: Design, steps: int) -> Floats:
    """On the model's scale, of series whose unit is a twentieth of their mean."""
    first = TRUTH.values.shape[1] - int((TRUTH.ends[0] - panel.ends[0]) // HOUR)
    rows = [TRUTH.ids.index(name) for name in panel.ids]
    unit = 0.05 * np.abs(PANEL.values[rows]).mean(axis=1, keepdims=True)
    return np.log1p(TRUTH.values[rows, first : first + steps] / unit)


MADE = fit_forecaster(PANEL, DAILY, FAST, 1, counts=False, prophets=Prophets(5, oracle))


def silence(panel: Panel, design: Design, steps: int) -> Floats:
    return np.full((len(panel.ids), steps), np.nan)


def test_a_daily_wave_goes_on_and_what_cannot_be_fitted_says_nothing():
    hours = np.arange(24 * 10)
    wave = 3 + np.sin(hours / 24 * 2 * np.pi)
    short = np.where(hours < 24 * 9, np.nan, wave)
    broken = np.where(hours == 5, np.inf, wave)
    ends = np.full(4, np.datetime64("2026-02-10", "ms"))
    panel = Panel(["wave", "short", "broken", "gaps"], ends, np.stack([wave] * 4))
    panel.values[1], panel.values[2] = short, broken
    panel.values[3, 30:40] = np.nan
    made = fit_here(panel, Design(calendar=True), 24)
    assert np.isnan(made[1:3]).all()
    assert made[0] == pytest.approx(3 + np.sin(np.arange(24) / 24 * 2 * np.pi), abs=0.1)
    assert made[3] == pytest.approx(made[0], abs=0.1)


def test_only_the_largest_series_are_fitted():
    asked: list[str] = []

    def fit(panel: Panel, design: Design, steps: int) -> Floats:
        asked.extend(panel.ids)
        return silence(panel, design, steps)

    Prophets(2, fit).forecast(PANEL, np.arange(12.0), DAILY, 3)
    assert asked == ["s10", "s11"]


def test_one_that_knows_more_earns_a_weight_of_its_own_and_only_in_a_batch():
    assert MADE.important
    assert MADE.important.blend.weights[PROPHET] > 0.8
    assert PROPHET not in MADE.blend.weights
    truth, without = TRUTH.values[:, 24 * 12 :][:, :12], MADE.forecast(PANEL).value
    batch = MADE.forecast(PANEL, fit=oracle).value
    missed, better = (np.abs(forecast / truth - 1).mean(axis=1) for forecast in (without, batch))
    assert (better < 0.5 * missed).sum() == 5
    assert (better == missed).sum() == 7
    assert np.array_equal(MADE.forecast(PANEL, fit=silence).value, without)


def test_one_that_knows_nothing_is_not_run():
    for useless in (silence, lambda *asked: np.full_like(silence(*asked), 99.0)):
        made = fit_forecaster(PANEL, DAILY, FAST, 1, counts=False, prophets=Prophets(5, useless))
        assert made.important is None


def test_one_that_helped_at_one_origin_by_chance_earns_nothing():
    truth = np.zeros((8, 4))
    right = np.repeat([True, False], 4)[:, None]  # at the first origin only
    usual = np.where(right, 1.0, 0.4) + truth
    forecasts = {"lightgbm": usual, NAIVE: usual, PROPHET: np.where(right, 0.1, 1.0) + truth}
    assert fit_blend(forecasts, truth).weights[PROPHET] > 0.3
    assert earned(forecasts, truth, np.repeat([0, 1], 4), forecasts["lightgbm"]) is None
    always = forecasts | {PROPHET: truth + 0.1}
    assert earned(always, truth, np.repeat([0, 1], 4), forecasts["lightgbm"]) is not None


def test_what_it_earned_is_stored_with_the_model(tmp_path: Path):
    made = replace(MADE, important=None)
    earned = Important(7, Blend({"lightgbm": 0.4, PROPHET: 0.6}))
    kept = SuccessModel({"clicks": replace(made, important=earned), "views": made})
    for name, data in kept.to_files().items():
        (tmp_path / name).write_bytes(data)
    loaded = SuccessModel.load(tmp_path)
    assert loaded.forecasters["clicks"].important == earned
    assert loaded.forecasters["views"].important is None
    assert loaded.version == kept.version


def test_holidays_are_those_between_two_local_days():
    found = holidays_between(np.datetime64("2026-02-10T05"), np.datetime64("2026-04-30T23"))
    assert ("2026-02-17", "Lunar New Year") in [(str(day), name) for day, name in found]
    assert str(found[-1][0]) == "2026-04-30"
    assert holidays_between(np.datetime64("2026-03-01"), np.datetime64("2026-03-05")) == []
