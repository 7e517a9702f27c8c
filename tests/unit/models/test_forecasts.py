"""The batch of forecasts: what it reads, that its table holds each batch once, and where it begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import write_deltalake
from polars.testing import assert_frame_equal

from kolray.errors import NotFoundError
from kolray.lake.parts import delta_types
from kolray.lake.tables import LakeTables, arrow_ready
from kolray.models import forecasts
from kolray.models.forecast_pipeline import store_forecasts
from kolray.models.forecasts import NAME, lake_origin, plan_forecasts, write_forecasts
from kolray.models.metrics import Floats
from kolray.models.registry import LoadedModel
from kolray.models.success import SuccessModel
from kolray.models.success.blend import Blend
from kolray.models.success.design import Design
from kolray.models.success.prophet import PROPHET, Important
from kolray.models.success.series import Panel
from tests.hourly import START, kpi_hourly
from tests.served import here
from tests.unit.models.test_success import TRAINED

CHAMPION = LoadedModel(TRAINED.model, "success", 1)
END = START + timedelta(hours=96)
ROWS = 20 * 24 * len(TRAINED.model.metrics)


def _add_hours(tables: LakeTables, rows: pl.DataFrame) -> None:
    whole = rows.with_columns(
        pl.lit(None).alias(c) for c in tables.scan("gold.kpi_hourly").collect_schema() if c not in rows.columns
    )
    write_deltalake(
        str(tables.path("gold.kpi_hourly")),
        delta_types(arrow_ready(whole, "gold.kpi_hourly").to_arrow()),
        mode="append",
        partition_by=["dt"],
    )


@pytest.fixture
def tables(tmp_path: Path) -> LakeTables:
    """A lake of 20 KOLs over four days."""
    lake = LakeTables(str(tmp_path))
    _add_hours(lake, kpi_hourly(n_kols=20))
    daily = kpi_hourly(n_kols=20).select("kol_id", "dt").unique()
    write_deltalake(str(lake.path("gold.kpi_daily")), delta_types(daily.to_arrow()), partition_by=["dt"])
    return lake


def _rows(tables: LakeTables) -> pl.DataFrame:
    return tables.scan(NAME).collect().sort("kol_id", "metric", "at")


def test_every_kol_has_a_day_from_the_last_whole_hour_on(tables: LakeTables):
    assert store_forecasts(tables, CHAMPION, here) == (END, ROWS)
    rows = _rows(tables)
    assert rows.group_by("kol_id", "metric").len()["len"].to_list() == [24] * (ROWS // 24)
    assert (rows["at"].min(), rows["origin"].unique().to_list()) == (END, [END])
    assert (rows["model"].unique().to_list(), rows["dt"].unique().to_list()) == (["success:1"], [END.date()])
    assert (rows["lower"] <= rows["value"]).all()
    assert (rows["value"] <= rows["upper"]).all()


def test_forecasts_do_not_depend_on_how_kols_are_shared_out(tables: LakeTables, monkeypatch: pytest.MonkeyPatch):
    store_forecasts(tables, CHAMPION, here)
    whole = _rows(tables)
    monkeypatch.setattr(forecasts, "KOLS_AT_ONCE", 3)
    store_forecasts(tables, LoadedModel(TRAINED.model, "success", 2), here)
    assert_frame_equal(_rows(tables).drop("model"), whole.drop("model"))


def test_the_same_batch_again_changes_nothing(tables: LakeTables):
    store_forecasts(tables, CHAMPION, here)
    version, rows = tables.table(NAME).version(), _rows(tables)
    assert store_forecasts(tables, CHAMPION, here) == (END, 0)
    assert tables.table(NAME).version() == version
    assert_frame_equal(_rows(tables), rows)


def test_a_batch_killed_before_its_commit_leaves_nothing(tables: LakeTables):
    plan = plan_forecasts(tables, CHAMPION)
    assert write_forecasts(tables, plan, CHAMPION, (None, None))
    assert not tables.exists(NAME)
    assert store_forecasts(tables, CHAMPION, here)[1] == _rows(tables).height == ROWS


def test_a_later_batch_of_the_day_takes_the_place_of_the_earlier(tables: LakeTables):
    store_forecasts(tables, CHAMPION, here)
    more = kpi_hourly(n_kols=20, hours=99).filter(pl.col("hour") >= END)
    _add_hours(tables, more)
    origin, rows = store_forecasts(tables, CHAMPION, here)
    assert (origin, rows) == (END + timedelta(hours=3), ROWS)
    assert _rows(tables)["origin"].unique().to_list() == [origin]


def test_two_runs_of_the_same_batch_at_once_leave_it_once(tables: LakeTables):
    def beside(*work):
        store_forecasts(tables, CHAMPION, here)
        return here(*work)

    assert store_forecasts(tables, CHAMPION, beside) == (END, 0)
    assert _rows(tables).height == ROWS


@pytest.mark.parametrize(
    ("newest_event", "gold_made", "origin"),
    [
        (timedelta(hours=95, minutes=59), timedelta(hours=98), END),
        (timedelta(hours=95, minutes=20), timedelta(hours=98), END - timedelta(hours=1)),  # the data ended within it
        (timedelta(hours=95, minutes=58), timedelta(hours=95, minutes=59), END - timedelta(hours=1)),  # still open
    ],
)
def test_an_hour_that_ended_in_the_middle_or_is_open_is_not_taken_for_a_whole_one(
    tables: LakeTables, newest_event: timedelta, gold_made: timedelta, origin: datetime
):
    for name, column, at in (("silver.social", "event_time", newest_event), ("gold.features", "as_of", gold_made)):
        row = pl.DataFrame({"kol_id": ["kol-0001"], column: [START + at], "dt": [(START + at).date()]})
        write_deltalake(str(tables.path(name)), delta_types(row.to_arrow()), partition_by=["dt"])
    assert lake_origin(tables) == origin


def test_prophet_is_fitted_for_the_largest_where_it_earned_a_weight(
    tables: LakeTables, monkeypatch: pytest.MonkeyPatch
):
    store_forecasts(tables, CHAMPION, here)
    without = _rows(tables)
    asked: list[str] = []

    def twelve(panel: Panel, design: Design, steps: int) -> Floats:
        asked.extend(panel.ids)
        return np.full((len(panel.ids), steps), np.log1p(12.0))

    monkeypatch.setattr(forecasts, "fit_here", twelve)
    own = dict(TRAINED.model.forecasters)
    own["engagement"] = replace(own["engagement"], important=Important(2, Blend({PROPHET: 1.0})))
    store_forecasts(tables, LoadedModel(SuccessModel(own), "success", 2), here)
    likes = kpi_hourly(n_kols=20).group_by("kol_id").agg(pl.col("likes").sum()).sort("likes", descending=True)
    assert sorted(asked) == sorted(likes["kol_id"][:2])
    mine = pl.col("kol_id").is_in(asked) & (pl.col("metric") == "engagement")
    assert_frame_equal(_rows(tables).filter(~mine).drop("model"), without.filter(~mine).drop("model"))
    assert _rows(tables).filter(mine)["value"].to_list() == pytest.approx([12.0] * 48)


def test_a_lake_without_hours_says_so(tmp_path: Path):
    with pytest.raises(NotFoundError, match="kolray lake gold"):
        plan_forecasts(LakeTables(str(tmp_path)), CHAMPION)
