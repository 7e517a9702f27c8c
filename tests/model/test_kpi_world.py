"""Forecasts on a generated world: its hours are those of the lake, its floor is the law's, one command judges it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.cli.series import show_series
from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.events import TIME
from kolray.models.metrics import percentage_errors
from kolray.models.success import world as worlds
from kolray.models.success.members import seasonal_naive
from kolray.models.success.train import metric_panels
from kolray.models.success.world import COUNTS, WORLDS, KpiWorld, cohort_hours, kpi_world
from kolray.models.success.world_floor import law_forecast
from kolray.models.worlds import FrozenWorld, checked_world, fingerprint

SMALL = WorldConfig(n_kols=80, hours=24 * 8, seed=3, duplicate_share=0, invalid_share=0)
WORLD = KpiWorld(*cohort_hours(SMALL, 0), build_world(SMALL))


def test_the_generator_makes_the_worlds_that_were_frozen() -> None:
    for name in WORLDS:
        assert checked_world(WORLDS, name) is WORLDS[name]


def test_hours_are_sums_of_the_events_that_the_stream_would_get() -> None:
    few = replace(SMALL, n_kols=20, hours=30)
    made = list(batches(build_world(few)))
    social = pl.concat([batch.social for batch in made]).filter(
        pl.col("event_type").is_in(["engagement", "correction"])
    )
    web = pl.concat([batch.web for batch in made])
    hour = pl.col("event_time").cast(TIME).dt.truncate("1h").alias("hour")
    kinds = [web.filter(pl.col("event_type") == kind) for kind in ("click", "conversion")]
    parts = [social.select("kol_id", hour, *COUNTS[:5])]
    parts += [
        part.select("kol_id", hour, pl.lit(1, pl.Int64).alias(name))
        for part, name in zip(kinds, COUNTS[5:], strict=True)
    ]
    sums = pl.concat(parts, how="diagonal").group_by("kol_id", "hour").agg(pl.col(COUNTS).sum())
    mine, _ = cohort_hours(few, 0)
    told = pl.sum_horizontal(pl.col(COUNTS).abs()) > 0
    assert_frame_equal(mine.filter(told), sums.filter(told), check_row_order=False)


@pytest.mark.parametrize("metric", ["engagement", "impressions", "views"])
def test_who_knows_the_law_forecasts_far_better_than_the_naive(metric: str) -> None:
    panel = metric_panels(WORLD.kpi, WORLD.covariates())[metric]
    cut = panel.values.shape[1] - 24
    history, actual = panel.before(cut), panel.values[:, cut:]
    law = law_forecast(WORLD, metric, history.ids, history.ends[0], 24)
    errors = [percentage_errors(actual, made).mean() for made in (law, seasonal_naive(history.values, 24, 24))]
    assert errors[0] < 0.8 * errors[1]
    assert law.sum() == pytest.approx(actual.sum(), rel=0.2)


def test_clicks_of_the_law_are_those_of_running_campaigns() -> None:
    history = metric_panels(WORLD.kpi, None)["clicks"]
    seen = history.values[:, 48:72]
    law = law_forecast(WORLD, "clicks", history.ids, history.before(48).ends[0], 24)
    assert law.sum() == pytest.approx(seen.sum(), rel=0.5)
    assert (seen[law == 0] == 0).all()


def test_one_command_judges_the_model_on_a_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(WORLDS, "small", FrozenWorld(SMALL, fingerprint(SMALL)))
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path))
    kpi_world("small", tmp_path)
    monkeypatch.setattr(worlds, "cohort_hours", None)  # what was made once is read
    monkeypatch.setattr("kolray.models.success.backtest.DEFAULTS", {"rounds": 40, "rows": 20_000})
    asked = ["models", "backtest", "success", "--world", "small", "--json"]
    told = json.loads(CliRunner().invoke(app, asked, catch_exceptions=False).stdout)
    assert told["world"] == "small"
    assert told["origins"] == 1
    assert list(told["by_metric"])[:3] == ["engagement", "impressions", "views"]
    groups = told["by_metric"]["impressions"]["groups"]
    assert groups["all"]["series"] == 80
    assert groups["all"]["smape"] == pytest.approx(told["by_metric"]["impressions"]["smape"])
    assert groups["all"]["floor_smape"] < groups["all"]["smape"] < groups["all"]["baseline_smape"]
    assert sum(row["series"] for name, row in groups.items() if name not in ("all", "reachable")) == 80
    assert np.isfinite(told["smape"])
    show_series(told)
    assert "impressions" in capsys.readouterr().out
