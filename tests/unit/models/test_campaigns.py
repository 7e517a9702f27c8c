"""Campaigns in the lake: the batch reads gold and writes the newest outlook of a day."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kolray.errors import NotFoundError
from kolray.lake.tables import LakeTables
from kolray.models.campaigns import known_of, newest_outlook, newest_points, store_outlook
from tests.campaigns import CAMPAIGNS, NOW, at, campaign_lake, hourly, put_rows


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> LakeTables:
    tables = campaign_lake(tmp_path_factory.mktemp("lake"))
    assert store_outlook(tables)["campaigns"] == CAMPAIGNS.height
    return tables


def test_each_campaign_has_its_newest_outlook(tables: LakeTables) -> None:
    rows = newest_outlook(tables, "a")
    assert set(rows["metric"]) == {"impressions", "clicks", "conversions", "revenue", "engagement", "reach", "roi"}
    assert rows["as_of"].unique().to_list() == [NOW]
    points = newest_points(tables, "a", "k100", NOW)
    assert points.filter(metric="reach")["at"].to_list() == [at(96 + h) for h in range(20)]
    assert newest_outlook(tables, "nobody").height == 0
    assert newest_points(tables, "late", "k101", NOW).height == 0


def test_long_ended_campaigns_are_left_as_they_were_told_last(tables: LakeTables) -> None:
    assert newest_outlook(tables, "old").height == 0
    assert "old" not in known_of(tables, NOW).campaigns["campaign_id"]


def test_the_same_batch_again_leaves_one(tables: LakeTables) -> None:
    before = tables.scan("gold.campaign_outlook").collect()
    store_outlook(tables)
    after = tables.scan("gold.campaign_outlook").collect()
    assert after.sort(pl.all()).equals(before.sort(pl.all()))


def test_a_lake_without_campaigns_says_so(tmp_path: Path) -> None:
    tables = LakeTables(str(tmp_path))
    put_rows(tables, "gold.kpi_hourly", hourly())
    with pytest.raises(NotFoundError, match="kolray ingest campaigns"):
        store_outlook(tables)
