"""The campaign's page: what was added, what it returns, and words for whatever is not known."""

from __future__ import annotations

import re

import pytest

from kolray.models.success.campaigns.lift import WHY_NOT
from kolray.serving.campaigns import NOTES
from kolray.serving.dashboard import text_campaigns
from kolray.serving.dashboard.campaign_views import campaign_view
from kolray.serving.dashboard.text import EN, translator
from kolray.testing.campaign_page import BLANK, RUNS
from kolray.testing.dashboard import HOSTILE, NOW, FakeDashboardData
from tests.unit.serving.pages import client, tags

KOL = "an.beauty00"


@pytest.mark.parametrize("path", [f"/campaigns/{RUNS}", f"/campaigns/{BLANK}", f"/campaigns/{RUNS}?kol={KOL}"])
def test_it_is_well_formed_with_much_and_little(path: str) -> None:
    answer = client().get(path)
    assert answer.status_code == 200
    tags(answer)
    assert not re.search(r"\b(None|nan|Undefined)\b", answer.text)


def test_it_says_what_the_campaign_added_and_how_sure_that_is() -> None:
    text = client().get(f"/campaigns/{RUNS}").text
    assert "+23% likes, comments and shares, likely between +8.0% and +41%, in 48 h." in text
    assert "The whole range lies above zero" in text
    assert "another campaign of the account runs at the same time" in text
    assert "likely −62% to +5.0%" in text
    assert "1,000 USD" in text
    assert text.count('class="band"') == 2
    assert "1 h ago" in text or "90 min ago" in text or "2 h ago" in text


def test_what_is_not_known_of_a_campaign_has_words() -> None:
    text = client().get(f"/campaigns/{BLANK}").text
    assert "It has no start." in text
    assert "Without dates" in text


def test_a_kol_leads_to_its_campaigns_and_back() -> None:
    page = client().get(f"/kols/{KOL}").text
    assert f'href="/campaigns/{RUNS}?kol={KOL}"' in page
    assert "Without dates" in page
    assert f'href="/kols/{KOL}"' in client().get(f"/campaigns/{RUNS}").text


def test_hostile_names_are_text() -> None:
    answer = client().get(f"/campaigns/{RUNS}")
    tags(answer)
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("path", "data"), [("/campaigns/none", FakeDashboardData()), (f"/campaigns/{RUNS}", FakeDashboardData(n=0))]
)
def test_a_campaign_nobody_knows(path: str, data: FakeDashboardData) -> None:
    answer = client(data).get(path)
    assert answer.status_code == 404
    assert "No such campaign" in answer.text
    tags(answer)


def test_both_languages_say_all_of_it_and_every_reason_has_words() -> None:
    assert set(text_campaigns.VI) == set(text_campaigns.EN)
    for name in text_campaigns.EN:
        fields = [re.findall(r"{(\w+)}", texts[name]) for texts in (text_campaigns.EN, text_campaigns.VI)]
        assert sorted(fields[0]) == sorted(fields[1]), name
    for reason in (*NOTES, *WHY_NOT):
        assert f"campaign_why_{reason}" in EN
    page = FakeDashboardData().campaign(RUNS, HOSTILE)
    assert page is not None
    view = campaign_view(translator("vi"), page, NOW.tzinfo)
    assert view["total_title"] == "Tổng cộng"
