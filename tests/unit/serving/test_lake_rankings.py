"""Rankings of the lake's tables: who is ranked by what, how old that is, and what is said where there is nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from kolray.errors import ServiceUnavailableError
from kolray.lake.reference import upsert_reference
from kolray.lake.tables import LakeTables
from kolray.serving.lake_rankings import SCORED, LakeRankings
from kolray.stores.rankings import Asked
from kolray.testing.clock import FakeClock
from tests.campaigns import put_rows

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
AWAY = ServiceUnavailableError("Redis", "redis://here", "start it")


@pytest.fixture
def tables(tmp_path: Path) -> LakeTables:
    """A lake of three KOLs, one of them on no platform."""
    kols = pl.DataFrame({"kol_id": ["a", "b", "c"], "platform": ["x", "y", None], "category": ["food", "food", None]})
    upsert_reference(str(tmp_path), "kols", kols.with_columns(tier=pl.lit("micro"), language=pl.lit("vi")), NOON)
    return LakeTables(str(tmp_path))


def places(tables: LakeTables, *asked: object) -> tuple[list[tuple[str, float]], int, float]:
    page, age_s = LakeRankings(tables, FakeClock(NOON + HOUR), 30).page(Asked(*asked), AWAY)  # type: ignore[arg-type]
    return [(row.kol_id, row.value) for row in page.rows], page.total, age_s


def put_scores(tables: LakeTables, *rows: tuple[str, datetime, float]) -> None:
    frame = pl.DataFrame(rows, schema=["kol_id", "as_of", "lower"], orient="row")
    put_rows(tables, "gold.scores", frame.with_columns(dt=pl.col("as_of").dt.date()))


def test_trust_is_the_newest_lower_bound_of_who_was_scored_lately(tables: LakeTables) -> None:
    put_scores(tables, ("a", NOON, 40.0), ("b", NOON - HOUR, 60.0), ("c", NOON, 60.0), ("a", NOON - HOUR, 90.0))
    put_scores(tables, ("long ago", NOON - SCORED - HOUR, 99.0))
    assert places(tables, "trust") == ([("c", 60.0), ("b", 60.0), ("a", 40.0)], 3, 3600.0)
    assert places(tables, "trust", None, None, 1, 1) == ([("b", 60.0)], 3, 3600.0)
    assert places(tables, "trust", "x") == places(tables, "trust", "x", "food") == ([("a", 40.0)], 1, 3600.0)
    assert places(tables, "trust", None, "nothing") == ([], 0, 3600.0)


def test_the_last_day_is_summed_and_growth_needs_followers(tables: LakeTables) -> None:
    seen = [("a", 0, 5, 200, 210), ("a", -23, 1, 100, 150), ("a", -24, 9, 50, 60), ("b", -2, 7, None, None)]
    names = ["kol_id", "hour", "likes", "followers_first", "followers_last"]
    hours = pl.DataFrame([(k, NOON + h * HOUR, *rest) for k, h, *rest in seen], schema=names, orient="row")
    at = pl.col("hour").dt.epoch("ms")
    put_rows(
        tables,
        "gold.kpi_hourly",
        hours.with_columns(comments=0, shares=0, followers_first_ms=at, followers_last_ms=at, platform=pl.lit("x")),
    )
    assert places(tables, "engagement") == ([("b", 7.0), ("a", 6.0)], 2, 0.0)
    assert places(tables, "growth") == ([("a", 1.1)], 1, 0.0)


def test_success_is_the_day_that_the_newest_batch_expects(tables: LakeTables) -> None:
    rows = [("a", NOON - HOUR, 9.0), ("a", NOON, 1.0), ("a", NOON, 2.0), ("b", NOON, 5.0)]
    batch = pl.DataFrame(rows, schema=["kol_id", "origin", "value"], orient="row")
    put_rows(tables, "gold.forecasts", batch.with_columns(dt=pl.col("origin").dt.date(), metric=pl.lit("engagement")))
    assert places(tables, "success") == ([("b", 5.0), ("a", 3.0)], 2, 3600.0)


@pytest.mark.parametrize("by", ["trust", "success", "engagement", "growth"])
def test_a_lake_that_knows_nothing_leaves_it_at_redis_being_away(tables: LakeTables, by: str) -> None:
    with pytest.raises(ServiceUnavailableError, match="Redis"):
        places(tables, by)


def test_who_asks_waits_no_longer_than_the_budget(tables: LakeTables) -> None:
    put_scores(tables, ("a", NOON, 40.0))
    slow = LakeRankings(tables, FakeClock(NOON), 0)
    with pytest.raises(ServiceUnavailableError, match="Redis"):
        slow.page(Asked("trust"), AWAY)
