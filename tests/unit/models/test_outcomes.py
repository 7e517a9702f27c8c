"""Losses that a trial goes by lie between 0 and 1, whatever a model says: the test's promise rests on it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kolray.models.delivery.outcomes import _brier_gain, _forecast_gains
from kolray.models.metrics import Floats
from kolray.models.success.series import Panel
from kolray.models.success.train import Untouched
from kolray.stores.trials import Evidence

IDS = ["rising", "always the same", "forgotten"]
HISTORY = np.stack([np.arange(72.0), np.full(72, 5.0), np.tile(np.arange(24.0), 3) * np.repeat([1, 2, 3], 24)])
ACTUAL = HISTORY[:, -24:] + np.array([[24.0], [0.0], [0.0]])
UNTOUCHED = {"likes": Untouched(Panel(IDS, np.full(3, np.datetime64("2026-01-04", "ms")), HISTORY), ACTUAL)}


def _model(said: Floats, metric: str = "likes") -> SimpleNamespace:
    """One that forecasts what it is given."""
    forecaster = SimpleNamespace(forecast=lambda *_: SimpleNamespace(value=said))
    return SimpleNamespace(metrics=[metric], forecasters={metric: forecaster})


def _gains(champion: Floats, challenger: Floats) -> dict[str, float]:
    return _forecast_gains(UNTOUCHED, _model(champion), _model(challenger))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300])
def test_a_forecaster_that_says_no_number_loses_all_and_is_not_left_out(wrong: float) -> None:
    gains = _gains(ACTUAL, np.full_like(ACTUAL, wrong))
    assert gains == pytest.approx({"rising": -1.0, "forgotten": -1.0}), "where nothing ever changes there is no scale"
    assert _gains(np.full_like(ACTUAL, wrong), ACTUAL) == pytest.approx({"rising": 1.0, "forgotten": 1.0})


def test_a_seasonal_naive_forecast_of_a_series_like_its_last_day_loses_half() -> None:
    a_day_before = HISTORY[:, -24:]
    assert _gains(a_day_before, ACTUAL)["rising"] == pytest.approx(0.5), "MASE 1"


def test_what_one_of_both_does_not_forecast_is_left_out() -> None:
    other = _model(ACTUAL, "views")
    assert _forecast_gains(UNTOUCHED, _model(ACTUAL), other) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("champion", "challenger", "label", "gain"),
    [(0, 100, 0, 1), (100, 0, 0, -1), (50, 100, 1, -0.75), (50, None, 1, None)],
)
def test_a_brier_gain_is_of_the_scores_as_served(
    champion: float, challenger: float | None, label: int, gain: float | None
) -> None:
    assert _brier_gain(Evidence("kol", champion, challenger), label) == gain
