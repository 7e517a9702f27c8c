"""The pages of trust, campaigns, searches and health over the fake world: what they say, and where they lead."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from kolray.errors import ServiceUnavailableError
from kolray.features import FEATURES
from kolray.models.searches import Search
from kolray.serving.dashboard.health_views import troubles
from kolray.serving.dashboard.report_data import BINS, HealthPage, ModelHealth, TrustPage
from kolray.serving.dashboard.text import EN, translator
from kolray.serving.dashboard.text_vi import VI
from kolray.serving.dashboard.tuning_views import SILENT, state_of
from kolray.serving.dashboard.views import verdict_words
from kolray.testing.campaign_page import BLANK, RUNS
from kolray.testing.dashboard import NOW, FakeDashboardData
from kolray.testing.reports import JUDGED, LIVE, FakeReports
from tests.unit.serving.pages import client, tags

T = translator()


def test_everybodys_trust_is_counted_once_and_links_to_the_rankings() -> None:
    data = FakeDashboardData()
    page = data.reports.trust(None, None)
    ranked = data.rankings("trust", None, 1000).rows
    assert page.scored == len(ranked)
    assert page.known == len(ranked) + 2
    low = sum(row.trust is not None and round(row.trust) < 40 for row in ranked)
    assert sum(group.low for group in page.groups if group.kind == "platform") == low
    text = client(data).get("/trust").text.replace("<wbr>", "")
    assert 'href="/kols?platform=tiktok"' in text
    assert f'href="/kols/{page.fell[0].kol_id}"' in text
    assert text.count('class="bin') == 2 * BINS, "for a desk and for a phone"
    assert sum(data.reports.trust("tiktok", "food").bins) < page.scored


def test_campaigns_are_filtered_by_state_and_lead_to_campaign_and_kol() -> None:
    browser = client()
    text = browser.get("/campaigns").text.replace("<wbr>", "")
    kol = FakeDashboardData().kol("an.beauty00")
    assert kol is not None
    assert f'href="/campaigns/{RUNS}?kol={kol.kol_id}"' in text
    assert f'href="/kols/{kol.kol_id}"' in text
    assert f">{BLANK}</a>" in text
    ended = browser.get("/campaigns?state=ended").text
    assert f">{RUNS}</a>" not in ended.replace("<wbr>", "")
    assert browser.get("/campaigns?state=nonsense&sort=nonsense&page=x").text.count('scope="row"') == 31
    assert EN["campaigns_empty_title"] in client(FakeDashboardData(n=0)).get("/campaigns").text


@pytest.mark.parametrize("search", [LIVE, JUDGED])
def test_a_search_shows_its_trials_and_what_became_of_it(search: str) -> None:
    browser = client()
    assert f'href="/tuning/{search}"' in browser.get("/tuning").text
    answer = browser.get(f"/tuning/{search}")
    tags(answer)
    assert ('data-every="3000"' in answer.text) == (search == LIVE), "only what changes is asked for again"
    assert (EN["tuning_judged_kept"] in answer.text) == (search == JUDGED)
    assert answer.text.count("<figure>") == 4, "one for each parameter"
    assert browser.get("/tuning/unknown").status_code == 404


def test_a_search_that_fell_silent_is_told_from_one_that_runs() -> None:
    row = Search("id", "trust", NOW - 3 * SILENT, None, 3, 30, 0.2, None, NOW - SILENT / 2)
    assert state_of(row, NOW) == "running"
    assert state_of(row._replace(reported=NOW - 2 * SILENT), NOW) == "silent"
    assert state_of(row._replace(reported=None), NOW) == "silent"
    assert state_of(row._replace(kept=False), NOW) == "refused"


def test_health_says_what_is_wrong_with_what_to_do_the_worst_first() -> None:
    page = FakeDashboardData().reports.health()
    found = troubles(T, page, NOW)
    assert [trouble.what for trouble in found] == [
        T("health_away", part=T("part_trino")),
        T("health_slow", part=T("part_metrics_store")),
        T("health_step", step="maintain"),
    ]
    text = client().get("/health").text
    assert all(trouble.advice in unescape(text) for trouble in found)
    assert EN["health_well"] not in text


def test_health_sees_a_stream_and_models_and_features_that_stand_still() -> None:
    stream = FakeDashboardData().reports.stream()
    assert stream is not None

    def whats(**changes: object) -> list[str]:
        now = stream.now.model_copy(update=changes)
        return [each.what for each in troubles(T, HealthPage([], stream._replace(now=now)), NOW)]

    assert whats() == []
    assert whats(state="gone") == [EN["health_gone"]]
    assert whats(checkpoint_age_s=600.0) == [T("health_checkpoint", age="10 min")]
    assert whats(behind_s=900.0) == [T("health_behind", age="15 min", lag="1,840")]
    assert whats(behind_s=900.0, lag=0) == [], "nothing is left to read: the source is silent"
    assert whats(state="ended", behind_s=9e6, checkpoint_age_s=9e6) == []
    models = [ModelHealth("trust", None, 1, None, None), ModelHealth("success", 3, 3, "success:2", NOW)]
    page = HealthPage([], None, models=models, features_at=NOW - timedelta(days=3))
    assert [each.what for each in troubles(T, page, NOW)] == [
        T("health_no_champion", model="trust"),
        T("health_other_model", model="success:3", used="success:2"),
        T("health_features", age="3 d"),
    ]


def test_a_store_that_is_away_is_a_page_with_advice() -> None:
    class Away(FakeReports):
        def trust(self, platform: str | None, category: str | None) -> TrustPage:
            raise ServiceUnavailableError("Redis", "here", "start it")

    data = FakeDashboardData()
    data.reports = Away(NOW, list)
    answer = client(data).get("/trust")
    assert answer.status_code == 503
    assert EN["error_title"] in answer.text
    part = client(data).get("/moved")
    assert (part.status_code, EN["part_away"] in part.text) == (200, True)


def test_the_overview_asks_for_those_who_moved_and_is_told_when_nobody_could() -> None:
    data = FakeDashboardData()
    page = data.reports.trust(None, None)
    assert 'data-from="/moved" data-late' in client(data).get("/").text
    text = client(data).get("/moved").text.replace("<wbr>", "")
    assert all(f'href="/kols/{move.kol_id}"' in text for move in (*page.fell[:4], *page.rose[:3]))

    def told(**changes: Any) -> str:
        class Still(FakeReports):
            def trust(self, platform: str | None, category: str | None) -> TrustPage:
                return replace(page, fell=(), rose=(), **changes)

        data.reports = Still(NOW, list)
        return unescape(client(data).get("/moved").text)

    assert EN["trust_no_moves"] in told()
    assert EN["trust_moves_never"] in told(compared=False)
    assert T("trust_moves_from", at="13 Mar 16:30") in told(compared=False, moves_from=NOW + timedelta(days=1))


@pytest.mark.parametrize(("chance", "shown"), [(0.0, "<1%"), (0.005, "<1%"), (0.04, "4%"), (0.995, ">99%")])
def test_a_chance_is_never_said_to_be_none_or_certain(chance: float, shown: str) -> None:
    page = FakeDashboardData().kol("an.beauty00")
    assert page is not None
    words = verdict_words(T, replace(page, probability=chance, trust_score=100 * (1 - chance)))
    assert f" {shown} " in words


def test_nothing_of_a_row_is_shown_raw() -> None:
    for path in ("/trust", "/campaigns", "/tuning", f"/tuning/{JUDGED}", "/health"):
        text = re.sub(r"<[^>]*>", " ", client().get(path).text)
        assert not re.search(r"\d\.\d{6}|\d{4}-\d\d-\d\dT|UTC\+00|None|nan", text), path
    page = FakeDashboardData().reports.trust(None, None)
    assert replace(page, bins=[0] * BINS).scored == 0


def test_a_vietnamese_reader_gets_vietnamese_figures_and_dates() -> None:
    asked = {"Accept-Language": "vi"}
    browser = client()
    overview = browser.get("/", headers=asked).text
    assert "18.432" in overview
    assert "<span>1.840</span>" in overview
    kol = browser.get("/kols/an.beauty00", headers=asked).text
    assert re.search(r"\d,\d%", kol)
    assert "12/3 16:00" in kol
    months = r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b"
    for path in ("/", "/kols/an.beauty00", f"/campaigns/{RUNS}", "/campaigns", "/alerts", "/health", "/tuning"):
        assert not re.search(months, browser.get(path, headers=asked).text), path
    assert "18,432" in browser.get("/", headers={"Accept-Language": "en"}).text, "the next reader has another"


def test_every_feature_has_a_name_in_each_language() -> None:
    wanted = {f"feature_{feature.name}" for feature in FEATURES}
    for language in (EN, VI):
        assert {key for key in language if key.startswith("feature_")} == wanted
        assert len({language[key] for key in wanted}) == len(wanted), "two features of one name"
