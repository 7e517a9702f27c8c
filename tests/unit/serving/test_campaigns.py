"""Campaigns as answers: the newest batch, its age, and what is not known of a campaign."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.tables import LakeTables
from kolray.models.campaigns import store_outlook
from kolray.serving.campaign_page import CampaignPages
from kolray.serving.campaigns import CampaignDesk
from kolray.testing.clock import FakeClock
from tests.campaigns import NOW, at, campaign_lake

CLOCK = FakeClock(NOW + timedelta(hours=2))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> LakeTables:
    tables = campaign_lake(tmp_path_factory.mktemp("lake"))
    store_outlook(tables)
    return tables


@pytest.fixture(scope="module")
def desk(tables: LakeTables) -> CampaignDesk:
    """Two hours after the batch; the KOL ``k5`` was erased."""
    return CampaignDesk(tables, CLOCK, lambda kol_id: kol_id == "k5")


def test_a_campaign_says_what_came_what_will_and_what_it_added(desk: CampaignDesk) -> None:
    told = desk.answer("a")
    assert (told.as_of, told.age_s, told.source) == (NOW, 7200.0, "batch")
    [mine] = told.kols
    assert (mine.kol_id, mine.state, mine.notes) == ("k100", "running", {})
    counts = {count.metric: count for count in mine.counts}
    clicks = counts["clicks"]
    assert clicks.actual is not None
    assert clicks.next_24h is not None
    assert clicks.total is not None
    assert clicks.next_24h.lower <= clicks.next_24h.value <= clicks.next_24h.upper
    assert clicks.total.value == pytest.approx(clicks.actual + clicks.next_24h.value)
    assert {lift.metric for lift in mine.lift} == {"engagement", "reach"}
    assert all(lift.lift is not None and lift.hours == 40 for lift in mine.lift)
    assert mine.roi is not None
    assert mine.roi.total is not None


def test_a_lift_that_is_not_known_says_why(desk: CampaignDesk) -> None:
    [late] = desk.answer("late").kols
    assert {lift.why_not for lift in late.lift} == {"not_started"}
    assert all(count.next_24h is None for count in late.counts)


def test_hours_of_a_campaign_are_those_it_runs_in(desk: CampaignDesk) -> None:
    told = desk.forecast("a", "k100", "clicks", 24)
    assert (told.origin, told.age_s, told.source, len(told.points)) == (NOW, 7200.0, "batch", 20)
    assert len(desk.forecast("a", "k100", "reach", 6).points) == 6


@pytest.mark.parametrize(
    ("campaign", "kol", "metric", "error", "words"),
    [
        ("nobody", "k100", "clicks", NotFoundError, "nothing is known of the campaign 'nobody'"),
        ("a", "k1", "clicks", NotFoundError, "with the KOL 'k1'"),
        ("p5", "k5", "clicks", NotFoundError, "nothing is known"),
        ("p1", "k1", "clicks", NotFoundError, "it is ended"),
        ("late", "k101", "clicks", NotFoundError, "it is planned"),
        ("a", "k100", "likes", InvalidInputError, "choose impressions, clicks"),
    ],
)
def test_what_is_not_forecast_says_why(
    desk: CampaignDesk, campaign: str, kol: str, metric: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        desk.forecast(campaign, kol, metric, 24)


def test_a_campaign_of_an_erased_kol_alone_is_not_known(desk: CampaignDesk) -> None:
    with pytest.raises(NotFoundError, match="nothing is known"):
        desk.answer("p5")


def test_the_page_shows_the_hours_since_the_day_before_and_the_forecast(tables: LakeTables) -> None:
    def hourly(kol_id: str, metric: str) -> pl.DataFrame:
        hours = [at(h) for h in range(120)]
        return pl.DataFrame({"kol_id": kol_id, "at": hours, "value": range(120)}).select("kol_id", "at", "value")

    graph: Any = SimpleNamespace(lake=tables, clock=CLOCK, erased=lambda _: False, hourly=hourly)
    pages = CampaignPages(graph)
    page = pages.page("a", None)
    assert page is not None
    assert [value for _, value in page.hourly] == list(range(32, 96))
    assert [point.at for point in page.forecast] == [at(96 + h) for h in range(20)]
    over = pages.page("p1", "k1")
    assert over is not None
    assert (len(over.hourly), over.forecast) == (50, [])
    assert pages.page("a", "k1") is None
    assert pages.page("none", None) is None
    assert [link.campaign_id for link in pages.of_kol("k0")] == ["p0", "old"]
    assert pages.of_kol("k99") == []
