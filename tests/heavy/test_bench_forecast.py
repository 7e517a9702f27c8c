"""The bench of forecasts on a small lake: every KOL gets its day, by Ray, from gold to Redis."""

from __future__ import annotations

import pytest

from kolray.benchmarks.forecast.run import ASKED, run


@pytest.mark.heavy
def test_every_kol_is_forecast_and_the_figures_are_there() -> None:
    figures = run(ASKED, lambda _: None)
    assert 0.9 * ASKED < figures.kols <= ASKED, "who was silent for four weeks has no forecast"
    assert figures.rows == figures.kols * figures.metrics * 24
    assert min(figures.seconds, figures.cpu_s, figures.peak_pss_mb, figures.one_p50_ms, figures.one_cpu_ms) > 0
