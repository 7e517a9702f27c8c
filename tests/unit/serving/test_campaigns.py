"""Campaigns as answers: the newest batch, its age, and what is not known of a campaign."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kolray.errors import InvalidInputError, NotFoundError
from kolray.models.campaigns import store_outlook
from kolray.serving.campaigns import CampaignDesk
from kolray.testing.clock import FakeClock
from tests.campaigns import NOW, campaign_lake


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> CampaignDesk:
    """Two hours after the batch; the KOL ``k5`` was erased."""
    tables = campaign_lake(tmp_path_factory.mktemp("lake"))
    store_outlook(tables)
    return CampaignDesk(tables, FakeClock(NOW + timedelta(hours=2)), lambda kol_id: kol_id == "k5")


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
