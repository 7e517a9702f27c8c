"""The backtest on the lake's hourly gold: every metric, several origins, and what was known of the KOLs at each."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.lake.reference import upsert_reference
from kolray.models.success.backtest_report import BacktestReport
from tests.hourly import START, kpi_hourly

ASKED = ["models", "backtest", "success", "--origins", "2", "--json"]


@pytest.fixture
def _lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kpi_hourly(60, 120).write_delta(str(tmp_path / "gold" / "kpi_hourly"))
    kols = pl.DataFrame({"kol_id": ["kol-0000", "kol-0001"], "tier": ["nano", "mega"]})
    upsert_reference(str(tmp_path), "kols", kols)
    upsert_reference(str(tmp_path), "campaigns", kols.select("kol_id", campaign_id=pl.lit("c"), start=pl.lit(START)))
    monkeypatch.setenv("KOLRAY_LAKE__ROOT", str(tmp_path))
    monkeypatch.setattr("kolray.models.success.backtest.DEFAULTS", {"rounds": 60, "rows": 20_000})


@pytest.mark.usefixtures("_lake")
def test_all_metrics_are_judged_by_horizon_beside_their_baseline() -> None:
    told = json.loads(CliRunner().invoke(app, ASKED, catch_exceptions=False).stdout)
    keys = set(BacktestReport.__dataclass_fields__)
    assert set(told) == keys
    assert list(told["by_metric"]) == ["engagement", "impressions", "clicks"]
    for own in told["by_metric"].values():
        assert keys - set(own) == {"left_out"}
        assert own["origins"] == 2
        assert own["mase"] < own["baseline_mase"]
        assert [row["horizon"] for row in own["by_horizon"]] == list(range(1, 25))
        assert {"smape", "baseline_smape", "coverage_90"} < set(own["by_horizon"][0])
    assert told["mase"] == pytest.approx(sum(own["mase"] for own in told["by_metric"].values()) / 3)


@pytest.mark.usefixtures("_lake")
def test_one_metric_has_the_keys_of_a_file() -> None:
    told = json.loads(CliRunner().invoke(app, [*ASKED, "--metric", "clicks"], catch_exceptions=False).stdout)
    assert told["series"] == 20
    assert told["by_metric"] == {}
    refused = CliRunner().invoke(app, [*ASKED, "--metric", "love"])
    assert "choose one of engagement" in str(refused.exception)
