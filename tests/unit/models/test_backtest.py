"""Backtests of series from files: no look ahead, official metrics, and a rule for every kind of bad input."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolray.errors import InvalidInputError
from kolray.models.success.backtest import backtest
from kolray.models.success.blend import fit_blend
from kolray.models.success.design import Design
from kolray.models.success.forecaster import fit_forecaster, inner_origins
from kolray.models.success.intervals import fit_intervals
from kolray.models.success.members import NAIVE, seasonal_naive
from kolray.models.success.scale import from_scale, to_scale
from kolray.models.success.series import Panel
from kolray.models.success.series_file import read_series

DAILY = Design(season=24, max_horizon=12, calendar=False)
FAST = {"rounds": 60, "rows": 20_000, "learning_rate": 0.1, "num_leaves": 15}
START = datetime(2026, 1, 1, tzinfo=UTC)


def waves(n: int = 12, steps: int = 24 * 12, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    size = rng.uniform(1, 1000, (n, 1))
    hours = np.arange(steps)
    values = size * (2 + np.sin(hours / 24 * 2 * np.pi + rng.uniform(0, 6, (n, 1)))) * rng.normal(1, 0.05, (n, steps))
    return Panel([f"s{i}" for i in range(n)], np.full(n, np.datetime64("2026-01-13", "ms")), values)


def file_of(rows: list[tuple[str, object, object]], folder: Path) -> Path:
    file = folder / "series.parquet"
    pl.DataFrame(rows, schema=["series_id", "at", "value"], orient="row", strict=False).write_parquet(file)
    return file


def series(name: str, values: list[float | None], start: datetime = START) -> list[tuple[str, object, object]]:
    return [(name, start + i * timedelta(hours=1), value) for i, value in enumerate(values)]


def test_it_beats_the_seasonal_naive_and_its_intervals_cover():
    report = backtest(waves(60), DAILY, origins=2, seed=1, params=FAST)
    assert report.series == 60
    assert report.origins == 2
    assert report.smape < 0.8 * report.baseline_smape
    assert report.mase < 0.8 * report.baseline_mase
    assert 0.85 < report.coverage_90 < 0.95
    assert [row["horizon"] for row in report.by_horizon] == list(range(1, 13))


def test_the_future_changes_no_forecast():
    panel = waves()
    cut = panel.values.shape[1] - DAILY.max_horizon
    future = panel.values.copy()
    future[:, cut:] = np.random.default_rng(3).permuted(future[:, cut:], axis=1) * 1000
    made = []
    for known in (panel.before(cut), panel.holding(future).before(cut)):
        made.append(fit_forecaster(known, DAILY, FAST, 1, counts=False).forecast(known))
    assert all(np.array_equal(one, other) for one, other in zip(*made, strict=True))


def test_silent_constant_negative_and_short_series_stop_no_other():
    panel = waves()
    values = panel.values.copy()
    values[0], values[1], values[2] = 0.0, 7.0, -values[2]
    values[3, :-30] = np.nan
    values[4, 50:90] = np.nan
    report = backtest(panel.holding(values), DAILY, 1, seed=1, params=FAST)
    assert list(report.left_out) == ["s3"]
    assert "30 values" in report.left_out["s3"]
    assert report.series == 11
    assert np.isfinite([report.smape, report.mase, report.coverage_90]).all()
    assert report.rmsle is None  # of negative values there is no logarithm


def test_too_short_for_all_is_said_with_what_to_do():
    with pytest.raises(InvalidInputError, match="fewer origins or a shorter horizon"):
        backtest(waves(3, 10), DAILY, 1, seed=1, params=FAST)


def test_too_little_before_the_first_origin_is_said_with_what_to_do():
    panel = waves(3, 260)
    panel.values[:, 1:187] = np.nan
    with pytest.raises(InvalidInputError, match=r"too few are known to learn 12 steps ahead from. Choose"):
        backtest(panel, DAILY, 1, seed=1, params=FAST)


def test_official_metrics_of_the_naive_are_what_a_loop_says():
    panel = waves(5)
    report = backtest(panel, DAILY, 1, seed=1, params=FAST)
    smapes, mases = [], []
    for row in panel.values:
        history, actual = row[:-12], row[-12:]
        naive = history[-24:][:12]
        smapes.append(200 * np.mean(np.abs(actual - naive) / (np.abs(actual) + np.abs(naive))))
        mases.append(np.mean(np.abs(actual - naive)) / np.mean(np.abs(history[24:] - history[:-24])))
    assert report.baseline_smape == pytest.approx(np.mean(smapes))
    assert report.baseline_mase == pytest.approx(np.mean(mases))


def test_gaps_are_unknown_repeated_times_are_their_mean(tmp_path: Path):
    rows = series("a", [1.0, 2.0, None, 4.0, 5.0])
    rows += [("a", START + timedelta(hours=4), 7.0), ("a", START + timedelta(hours=7), float("nan"))]
    rows += [("a", START + timedelta(hours=6), 9.0)]
    panel = read_series(file_of(rows, tmp_path)).panel
    assert np.array_equal(panel.values, [[1, 2, np.nan, 4, 6, np.nan, 9]], equal_nan=True)
    assert panel.end == START + timedelta(hours=7)
    assert panel.step == timedelta(hours=1)


def test_another_frequency_and_an_empty_series_are_left_out_with_the_reason(tmp_path: Path):
    days = [("daily", START + timedelta(hours=1, minutes=17 * i), 1.0) for i in range(20)]
    rows = [*series("a", [1.0] * 50), *days, *series("empty", [None] * 5)]
    read = read_series(file_of(rows, tmp_path))
    assert read.panel.ids == ["a"]
    assert set(read.left_out) == {"daily", "empty"}


def test_steps_may_be_numbers_and_lengths_differ(tmp_path: Path):
    rows = [("a", i, float(i)) for i in range(6)] + [("b", i, 1.0) for i in range(3)]
    panel = read_series(file_of(rows, tmp_path)).panel
    assert np.array_equal(panel.values[1], [np.nan, np.nan, np.nan, 1, 1, 1], equal_nan=True)


@pytest.mark.parametrize(
    ("rows", "say"),
    [
        ([("a", START, "many")], "no numbers"),
        ([("a", "someday", 1.0)], "neither ISO 8601"),
        ([("a", START, None)], "no series is left"),
    ],
)
def test_what_is_no_series_is_refused(rows: list[tuple[str, object, object]], say: str, tmp_path: Path):
    with pytest.raises(InvalidInputError, match=say):
        read_series(file_of(rows, tmp_path))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20), st.floats(1e-3, 1e6))
def test_the_scale_has_an_inverse(values: list[float], unit: float):
    given_values = np.array([values])
    assert np.allclose(from_scale(to_scale(given_values, np.array([[unit]])), np.array([[unit]])), given_values)


def test_the_naive_looks_back_whole_seasons_past_gaps():
    values = np.array([[1.0, 2.0, 3.0, np.nan, 5.0]])
    assert seasonal_naive(values, 3, 2)[0].tolist() == [2.0, 5.0, 2.0]


def test_a_member_that_says_nothing_new_earns_no_weight():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(200, 4))
    good, other = truth + rng.normal(0, 0.1, truth.shape), rng.normal(size=truth.shape)
    blend = fit_blend({"good": good, "other": other}, truth)
    assert blend.weights == {"good": 1.0}
    both = fit_blend({"good": good, "twin": truth + rng.normal(0, 0.1, truth.shape)}, truth)
    assert both.weights["twin"] == pytest.approx(0.5, abs=0.1)
    assert sum(both.weights.values()) == pytest.approx(1.0)


def test_months_quarters_and_years_are_steps_however_many_days_they_have(tmp_path: Path):
    for months, names in ((1, 30), (3, 12), (12, 9)):
        at = [datetime(2010 + (k * months) // 12, (k * months) % 12 + 1, 1, tzinfo=UTC) for k in range(names)]
        rows = [("a", time, float(k)) for k, time in enumerate(at) if k != 2]
        panel = read_series(file_of(rows, tmp_path)).panel
        assert np.isnan(panel.values[0, 2])
        assert np.nansum(panel.values) == sum(range(names)) - 2
        assert panel.values.shape[1] == names
        assert panel.step.days == pytest.approx(30.4 * months, abs=1)


def test_ends_of_months_and_weeks_of_28_days_too(tmp_path: Path):
    ends = [datetime(2021, month, day, tzinfo=UTC) for month, day in ((1, 31), (2, 28), (3, 31), (4, 30), (5, 31))]
    assert read_series(file_of([("a", at, 1.0) for at in ends], tmp_path)).panel.values.shape == (1, 5)
    weeks = [("a", START + k * timedelta(weeks=4), 1.0) for k in range(9)]
    assert read_series(file_of(weeks, tmp_path)).panel.step == timedelta(weeks=4)


@pytest.mark.parametrize("season", [1, 2, 4, 7, 12, 52])
def test_every_season_has_features_of_its_own(season: int):
    assert len(set(Design(season, 3).names)) == len(Design(season, 3).names)
    report = backtest(waves(3, 170), Design(season, 3, calendar=False), 1, seed=1, params={"rounds": 5})
    assert np.isfinite(report.smape)


def test_silent_nights_stay_silent():
    hours = np.arange(24 * 12)
    sun = np.maximum(np.sin((hours - 6) / 24 * 2 * np.pi), 0.0).round(3) * np.array([[3.0], [40.0], [0.5]])
    panel = Panel(["a", "b", "c"], np.full(3, np.datetime64("2026-01-13", "ms")), sun)
    made = fit_forecaster(panel, DAILY, FAST, 1, counts=False).forecast(panel)
    assert (made.value[:, :5] == 0).all()


def test_one_series_with_little_evidence_rests_on_the_seasonal_naive():
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(3, 12))
    forecasts = {"lightgbm": truth + rng.normal(0, 0.9, truth.shape), NAIVE: truth + rng.normal(0, 1.0, truth.shape)}
    assert fit_blend(forecasts, truth).weights[NAIVE] > 0.4


def test_few_series_are_judged_at_more_origins():
    assert len(inner_origins(waves(1), DAILY)) == 7
    assert len(inner_origins(waves(200), DAILY)) == 2


def test_one_old_series_takes_no_history_from_the_others():
    panel = waves(200, 260)
    panel.values[1:, :200] = np.nan
    assert inner_origins(panel, DAILY) == [236, 248]
    assert min(inner_origins(waves(200, 60), DAILY)) == 36


def test_errors_of_few_forecasts_count_as_few():
    rng = np.random.default_rng(2)
    own = rng.normal(size=(6, 1)) + rng.normal(0, 0.1, (6, 24))  # a forecast is off as a whole
    lower, upper = fit_intervals(own, np.ones(6)).bounds(np.zeros((1, 24)), np.ones(1))
    assert lower[0, 0] == own.min()
    assert upper[0, 0] == own.max()


@pytest.mark.parametrize(
    "text", ["{:%Y-%m-%d}", "{:%Y/%m/%d}", "{:%Y-%m-%d %H:%M}", "{:%Y-%m-%dT%H:%M:%S}", "{:%Y-%m}"]
)
@pytest.mark.parametrize("column", ["at", "ds"])
def test_times_of_text_files_may_be_days_or_months_and_have_another_name(text: str, column: str, tmp_path: Path):
    file = tmp_path / "sales.csv"
    days = [datetime(2024, month, 1, tzinfo=UTC) for month in range(1, 13)]
    lines = [f"{text.format(day)},{value}" for value, day in enumerate(days)]
    file.write_text("\n".join([f"{column},y", *lines]))
    panel = read_series(file, {"value": "y", "at": column}).panel
    assert panel.values.tolist() == [[float(value) for value in range(12)]]
    assert panel.ids == ["sales"]


@pytest.mark.parametrize("n_series", [1, 6])
def test_a_series_that_jumped_to_another_level_is_followed(n_series: int) -> None:
    rng, hours = np.random.default_rng(5), np.arange(24 * 20)
    size = rng.lognormal(0, 1, (n_series, 1)) * rng.lognormal(0, 0.03, (n_series, len(hours)))
    values = 100 * (1 + 0.5 * np.sin(hours / 24 * 2 * np.pi)) * size
    values[0, -72:] *= 10
    panel = Panel([f"s{i}" for i in range(n_series)], np.full(n_series, np.datetime64("2026-01-21", "ms")), values)
    past, actual = panel.before(len(hours) - 12), values[:, -12:]
    made = fit_forecaster(past, DAILY, FAST, 1, counts=False).forecast(past).value
    assert np.abs(made - actual)[0].mean() < 0.1 * actual[0].mean()
