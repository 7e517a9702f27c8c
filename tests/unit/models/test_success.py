"""The success model: better than the naive where there is something to learn, honest intervals, no leakage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.errors import InvalidInputError
from kolray.models.splits import rolling_origins
from kolray.models.success import SuccessModel, train_success
from kolray.models.success.design import HOURLY
from kolray.models.success.intervals import fit_intervals
from kolray.models.success.members import training_rows
from kolray.models.success.series import HOUR, hourly_history, hours_of_one, to_matrix
from tests.hourly import START, kpi_hourly

KPI = kpi_hourly()
HISTORY = hourly_history(KPI, "engagement")
FAST = {"rounds": 120, "rows": 40_000}
TRAINED = train_success(KPI, seed=1, params=FAST)


def test_it_beats_the_seasonal_naive_on_the_untouched_day():
    assert TRAINED.report.beats_baseline
    for report in TRAINED.report.by_metric.values():
        assert report["test"]["mase"] < 0.9 * report["baseline"]["mase"]
        assert 0.85 < report["test"]["coverage_90"] < 0.95
        assert [row["horizon"] for row in report["by_horizon"]] == list(range(1, 25))


def test_one_training_covers_every_metric_that_tells_something():
    assert TRAINED.model.metrics == ("engagement", "impressions", "clicks")
    assert TRAINED.report.by_metric["clicks"]["series"] == 40
    assert TRAINED.report.metrics()["clicks_mase"] == TRAINED.report.by_metric["clicks"]["test"]["mase"]
    sums = [
        TRAINED.model.forecast(hourly_history(KPI, metric), metric)["value"].sum() for metric in TRAINED.model.metrics
    ]
    last = KPI.filter(pl.col("hour") >= START + 72 * HOUR)
    for forecast, columns in zip(sums, (["likes"], ["impressions"], ["web_clicks"]), strict=True):
        assert forecast == pytest.approx(last.select(columns).sum().item(), rel=0.1)


def test_a_metric_that_a_rival_lacks_counts_as_by_the_seasonal_naive():
    rival = SuccessModel({"clicks": TRAINED.model.forecasters["clicks"]})
    assert TRAINED.loss < TRAINED.loss_of(rival) < 1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 24), st.lists(st.floats(0, 1e9), min_size=1, max_size=100))
def test_any_history_gives_ordered_finite_counts(horizon, values):
    history = pl.DataFrame({"kol_id": "k", "at": [START + i * HOUR for i in range(len(values))], "value": values})
    forecast = TRAINED.model.forecast(history, horizon_h=horizon)
    assert forecast.height == horizon
    assert forecast["at"][0] == START + len(values) * HOUR
    assert (forecast["lower"] >= 0).all()
    assert (forecast["lower"] <= forecast["value"]).all()
    assert (forecast["value"] <= forecast["upper"]).all()
    assert forecast["upper"].is_finite().all()


def test_the_future_changes_no_forecast():
    origin = START + 60 * HOUR
    shuffled = pl.concat(
        [
            HISTORY.filter(pl.col("at") < origin),
            HISTORY.filter(pl.col("at") >= origin).with_columns(pl.col("value").shuffle(seed=1) * 7),
        ]
    )
    assert_frame_equal(
        TRAINED.model.forecast(HISTORY, origin=origin),
        TRAINED.model.forecast(shuffled, origin=origin),
        check_exact=True,
    )


def test_training_rows_are_what_a_request_would_see():
    series = to_matrix(HISTORY).measuring("engagement")
    x, y = training_rows(series, HOURLY, n_rows=10**9, seed=1)
    last = series.values.shape[1] - 1
    row, level = HOURLY.rows(series.before(last), np.array([1]))
    row[:, HOURLY.names.index("weekday")] = 0.0
    assert x.shape[1] == len(HOURLY.names)
    assert np.array_equal(x[: len(series.ids)], row, equal_nan=True)
    assert np.array_equal(y[: len(series.ids)], series.values[:, last] - level)


def test_one_kol_is_forecast_alike_alone_and_among_all():
    alone = TRAINED.model.forecast(HISTORY.filter(pl.col("kol_id") == "kol-0007"), origin=START + 96 * HOUR)
    among = TRAINED.model.forecast(HISTORY, origin=START + 96 * HOUR).filter(pl.col("kol_id") == "kol-0007")
    assert_frame_equal(alone, among, check_exact=True)


def test_training_is_exact_per_seed_and_ignores_the_order_of_rows():
    again = train_success(KPI.sample(fraction=1, shuffle=True, seed=3), seed=1, params=FAST)
    assert again.model.version == TRAINED.model.version
    assert again.report == TRAINED.report


def test_saved_files_load_to_the_same_forecasts(tmp_path: Path):
    for name, data in TRAINED.model.to_files().items():
        (tmp_path / name).write_bytes(data)
    loaded = SuccessModel.load(tmp_path)
    assert loaded.version == TRAINED.model.version
    assert_frame_equal(loaded.forecast(HISTORY), TRAINED.model.forecast(HISTORY), check_exact=True)


def test_silence_is_zero_after_the_first_hour_and_unknown_before():
    history = pl.DataFrame(
        {"kol_id": ["a", "b", "b"], "at": [START, START + 2 * HOUR, START + 4 * HOUR], "value": [1.0, 2.0, 3.0]}
    )
    values = to_matrix(history).values
    assert np.array_equal(values, [[1, 0, 0, 0, 0], [np.nan, np.nan, 2, 0, 3]], equal_nan=True)


def test_repeated_hours_are_added_and_negative_sums_are_none():
    at = [START, START + timedelta(minutes=30), START + HOUR]
    history = pl.DataFrame({"kol_id": "a", "at": at, "value": [1.0, 2.0, -5.0]})
    assert to_matrix(history).values.tolist() == [[3, 0]]


@pytest.mark.parametrize(
    ("problem", "say"),
    [
        ({"metric": "love"}, "love"),
        ({"horizon_h": 0}, "1 to 24"),
        ({"horizon_h": 25}, "1 to 24"),
        ({"origin": START}, "no history"),
    ],
)
def test_bad_requests_are_refused_with_advice(problem, say):
    with pytest.raises(InvalidInputError, match=say):
        TRAINED.model.forecast(HISTORY, **problem)


def test_not_a_number_is_refused():
    with pytest.raises(InvalidInputError, match="finite"):
        TRAINED.model.forecast(HISTORY.with_columns(value=pl.lit(float("nan"))))


def test_too_little_history_to_train_is_refused_with_advice():
    with pytest.raises(InvalidInputError, match="72 hours"):
        train_success(KPI.filter(pl.col("hour") < START + 40 * HOUR), seed=1)


def test_conformal_intervals_cover_new_errors():
    rng = np.random.default_rng(0)
    horizons = np.arange(1, 25)

    def errors(restless):
        return rng.normal(size=(len(restless), 24)) * restless[:, None] * horizons / 24

    old, new = rng.uniform(0.5, 3, 1500), rng.uniform(0.5, 3, 1500)
    lower, upper = fit_intervals(errors(old), old).bounds(np.zeros((1500, 24)), new)
    actual = errors(new)
    covered = (actual >= lower) & (actual <= upper)
    for some in (new < 1, new > 2.5):
        for h in (0, 11, 23):
            assert covered[some, h].mean() == pytest.approx(0.9, abs=0.05)


def test_young_series_have_wider_intervals():
    rng = np.random.default_rng(1)
    restless = np.concatenate([rng.uniform(0.5, 1, 300), np.full(300, np.nan)])
    errors = rng.normal(size=(600, 4)) * np.where(np.isnan(restless), 3.0, 1.0)[:, None]
    lower, upper = fit_intervals(errors, restless).bounds(np.zeros((2, 4)), np.array([0.7, np.nan]))
    assert ((upper - lower)[1] > 1.5 * (upper - lower)[0]).all()


def test_origins_roll_back_from_the_end_and_keep_enough_history():
    assert rolling_origins(96, 24, 3, 24) == [24, 48, 72]
    assert rolling_origins(96, 24, 9, 30) == [48, 72]


def test_one_stray_old_row_does_not_make_a_matrix_of_decades():
    stray = pl.DataFrame({"kol_id": ["kol-0000"], "at": [datetime(2001, 1, 1, tzinfo=UTC)], "value": [1.0]})
    series = to_matrix(pl.concat([HISTORY.select(stray.columns), stray.cast(HISTORY.schema)]))
    assert series.values.shape[1] <= 90 * 24
    assert series.end == to_matrix(HISTORY).end


def test_hours_of_one_kol_make_the_series_that_all_hours_make():
    mine = HISTORY.filter(pl.col("kol_id") == "kol-0007").sort("at")
    for end in (START + 50 * HOUR, START + 96 * HOUR, START + 99 * HOUR):
        whole = to_matrix(mine, end=end, max_hours=60)
        one = hours_of_one("kol-0007", mine["at"].to_numpy(), mine["value"].to_numpy().astype(float), end, 60)
        assert (one.ids, one.end, one.ends.dtype) == (whole.ids, whole.end, whole.ends.dtype)
        np.testing.assert_array_equal(one.values, whole.values)
