"""Forecasts that were served, judged by what came: by hand, and from the lake's own batch."""

from __future__ import annotations

from datetime import timedelta
from math import log
from pathlib import Path

import polars as pl
import pytest

from kolray.features.window_metrics import SUMS
from kolray.lake.tables import LakeTables
from kolray.models.forecast_pipeline import store_forecasts
from kolray.models.monitor import alerts_of, served
from kolray.models.served import judge_batch, served_figures
from tests.hourly import START, kpi_hourly
from tests.served import here
from tests.unit.models.test_forecasts import CHAMPION, END, _add_hours, tables  # noqa: F401  a fixture

DAY = timedelta(days=1)
FINE = {"rmsle": 0.3, "naive_rmsle": 0.4, "coverage_90": 0.88}


def test_figures_are_those_of_the_definition():
    at = START + DAY
    made = [("a", at, 1.0, 0.0, 3.0), ("a", at + timedelta(hours=1), 3.0, 2.0, 9.0), ("silent", at, 0.0, 0.0, 0.0)]
    forecasts = pl.DataFrame(made, ["kol_id", "at", "value", "lower", "upper"], orient="row")
    hours = pl.DataFrame({"kol_id": "a", "hour": [at - DAY, at], "likes": [7, 3]})
    hours = hours.with_columns(pl.lit(0).alias(name) for name in SUMS if name != "likes")
    found = judge_batch(forecasts.with_columns(metric=pl.lit("engagement")), hours)
    assert found["rmsle"] == pytest.approx((((log(2) - log(4)) ** 2 + log(4) ** 2) / 2) ** 0.5)
    assert found["naive_rmsle"] == pytest.approx(((log(8) - log(4)) ** 2 / 2) ** 0.5)
    assert found["coverage_90"] == 0.5


def test_the_newest_batch_that_is_half_known_is_judged(tables: LakeTables):  # noqa: F811
    store_forecasts(tables, CHAMPION, here)
    assert served_figures(tables, CHAMPION.label) is None, "nothing came yet"
    _add_hours(tables, kpi_hourly(n_kols=20, hours=120).filter(pl.col("hour") >= END))
    found = served_figures(tables, CHAMPION.label)
    assert found is not None
    assert found["rmsle"] < found["naive_rmsle"]
    assert 0.8 < found["coverage_90"] < 1
    assert served_figures(tables, "success:2") is None


def test_an_empty_lake_has_nothing_to_judge(tmp_path: Path):
    assert served_figures(LakeTables(str(tmp_path)), "success:1") is None


@pytest.mark.parametrize(
    ("change", "broken"),
    [({}, []), ({"rmsle": 0.4}, ["rmsle"]), ({"coverage_90": 0.79}, ["coverage_90"]), ({"rmsle": float("nan")}, [])],
)
def test_forecasts_that_fail_raise_one_alert(change, broken):
    measures = served(FINE | change, {"rmsle": 0.25, "coverage_90": 0.9})
    assert measures.filter("drifted")["name"].to_list() == broken
    alerts = alerts_of(measures, "success:1", START, START)
    assert alerts.select("rule", "kol_id").rows() == [("forecasts_fail", "model:success")] * bool(broken)
