"""Every page over the fake data: what it says, who may see it, and what it does when there is nothing or an error."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta, timezone
from html import unescape
from typing import NoReturn
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from kolray.errors import ServiceUnavailableError
from kolray.serving.dashboard import formats
from kolray.serving.dashboard.data import AlertRow, Overview, RankedRows
from kolray.serving.dashboard.pages import build_dashboard, mount_dashboard
from kolray.serving.dashboard.text import EN, LANGUAGES, name_of
from kolray.serving.dashboard.views import HERE
from kolray.stores.rankings import RankBy
from kolray.testing.dashboard import HOSTILE, NEW, NOW, FakeDashboardData

with warnings.catch_warnings():
    # Starlette warns of httpx at import, which the product uses.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient
from tests.unit.serving.pages import KOL, PATHS, TOKEN, T, client, session_ok, sign_in, tags


@pytest.mark.parametrize("path", [*PATHS, f"/kols/{KOL}", f"/kols/{NEW}"])
@pytest.mark.parametrize("n", [0, 1, 40])
def test_every_page_is_well_formed_with_much_little_and_no_data(path: str, n: int) -> None:
    answer = client(FakeDashboardData(n=n)).get(path)
    assert answer.status_code == (404 if (n < 40 and KOL in path) or (n == 0 and NEW in path) else 200)
    tags(answer)
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"\b(None|nan|Undefined)\b", answer.text)


def test_overview_shows_both_ends_of_the_ranking() -> None:
    data = FakeDashboardData()
    text, lowest = (client(data).get(path).text.replace("<wbr>", "") for path in ("/", "/lowest"))
    ranked = data.rankings("trust", None, 100).rows
    assert [row.lower for row in ranked] == sorted((row.lower for row in ranked), reverse=True)
    assert all(f">{row.kol_id}</a>" in text.split(EN["most_trusted"])[1] for row in ranked[:5])
    assert f">{ranked[5].kol_id}</a>" not in text.split(EN["most_trusted"])[1]
    worst = [row.kol_id for row in sorted(ranked, key=lambda row: row.value)[:5]]
    assert re.findall(r">([^<]*)</a>", lowest) == worst
    assert "18,432" in text
    assert "40 s ago" in text


def test_of_a_few_nobody_is_among_the_most_and_the_least_trusted() -> None:
    for n in (1, 2, 3, 8):
        data = FakeDashboardData(n=n)
        text, lowest = (client(data).get(path).text.replace("<wbr>", "") for path in ("/", "/lowest"))
        best = re.findall(r'class="kol"[^>]*>([^<]*)</a>', text.split(EN["most_trusted"])[1])
        assert not set(best) & set(re.findall(r'class="kol"[^>]*>([^<]*)</a>', lowest))
        assert (EN["lowest_none"] in lowest) == (n == 1)


def test_what_does_not_answer_leaves_the_rest_of_the_overview() -> None:
    def away(*_: object) -> NoReturn:
        raise ServiceUnavailableError("redis", "here", "start it")

    data = FakeDashboardData()
    whole = data.overview()
    data.overview = lambda: whole  # type: ignore[method-assign]
    for holder, name, gone in ((data, "rankings", 1), (data, "alerts", 2), (data.reports, "stream", 3)):
        setattr(holder, name, away)
        text = client(data).get("/").text
        assert text.count(EN["part_away"]) == gone
        assert "18,432" in text
    assert EN["part_away"] in client(data).get("/pulse").text
    data.reports.trust = away  # type: ignore[method-assign]
    assert EN["part_away"] in client(data).get("/lowest").text


def test_alerts_have_pages() -> None:
    class Data(FakeDashboardData):
        def alerts(self, limit: int) -> list[AlertRow]:
            return [AlertRow(NOW, "high", "click_storm", f"kol-{i:03d}", {}) for i in range(120)][:limit]

    browser = client(Data())
    pages = [browser.get(f"/alerts?page={page}").text for page in (1, 2, 3)]
    shown = [re.findall(r"kol-<wbr>(\d{3})", page) for page in pages]
    assert [int(kol) for page in shown for kol in page] == list(range(120))
    assert ['rel="next"' in page for page in pages] == [True, True, False]


def test_rankings_filter_by_platform_and_fall_back_on_trust() -> None:
    browser, data = client(), FakeDashboardData()
    text = browser.get("/kols?by=nonsense&platform=tiktok").text.replace("<wbr>", "")
    shown = re.findall(r'<a class="kol" href="/kols/[^"]*">([^<]*)</a>', text)
    assert shown == [row.kol_id for row in data.rankings("trust", "tiktok", 100).rows]


def test_a_reader_gets_the_browsers_language_until_it_chooses_another() -> None:
    browser = client()
    assert f"<h1>{EN['kols_title']}</h1>" in browser.get("/kols").text
    asked = {"Accept-Language": "fr-FR, vi;q=0.9, en;q=0.5"}
    text = browser.get("/kols?by=growth&page=1", headers=asked).text
    assert '<html lang="vi">' in text
    assert f"<h1>{LANGUAGES['vi']['kols_title']}</h1>" in text
    link = re.search(r'href="(/language\?to=en[^"]*)"', text)
    assert link is not None
    answer = browser.get(unescape(link[1]), headers=asked)
    assert answer.headers["location"] == "/kols?by=growth&page=1"
    assert '<html lang="en">' in browser.get("/kols", headers=asked).text
    for target in ("//evil.example", "https://evil.example"):
        assert browser.get("/language", params={"to": "vi", "following": target}).headers["location"] == "/"
    assert set(EN) - set(LANGUAGES["vi"]) <= {
        key for key in EN if key.startswith(("platform_", "tier_", "figure_", "brand", "unknown"))
    }
    for key, text in LANGUAGES["vi"].items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", EN[key])), key


def test_pages_follow_the_streams_beside_the_dashboard() -> None:
    app = FastAPI()
    mount_dashboard(app, build_dashboard(FakeDashboardData(), lambda _: "c", lambda _: True))
    browser = TestClient(app, cookies={"kolray_session": "c"})
    assert 'data-live="/live/alerts"' in browser.get("/dashboard/").text
    assert f'data-live="/live/metrics?kol_id={KOL}"' in browser.get(f"/dashboard/kols/{KOL}").text


def test_rankings_filter_by_category_and_have_pages() -> None:
    data = FakeDashboardData(n=140)
    browser = client(data)

    def shown(query: str) -> tuple[list[str], str]:
        text = browser.get(f"/kols?{query}").text.replace("<wbr>", "")
        return re.findall(r'<a class="kol" href="/kols/[^"]*">([^<]*)</a>', text), text

    everyone = [row.kol_id for row in data.rankings("growth", None, 1000).rows]
    pages = [shown(f"by=growth&page={number}") for number in (1, 2, 3)]
    assert [kol for kols, _ in pages for kol in kols] == everyone
    assert "51–100 of 140" in pages[1][1]
    assert 'rel="next" href="/kols?by=growth&amp;page=3"' in pages[1][1]
    assert 'rel="prev"' not in pages[0][1]
    assert 'rel="next"' not in pages[2][1]
    food = shown("category=food&platform=tiktok")
    assert food[0] == [row.kol_id for row in data.rankings("trust", "tiktok", 100, "food").rows]
    assert shown("page=nonsense")[0] == shown("page=1")[0]


def test_search_lists_or_goes_straight_to_the_only_one() -> None:
    browser = client()
    assert browser.get(f"/kols?q={KOL}").headers["location"] == f"/kols/{KOL}"
    assert len(set(re.findall(r'href="/kols/(an\.[^"]*)"', browser.get("/kols?q=an.").text))) == 3
    unranked = browser.get("/kols?q=new").text.replace("<wbr>", "")
    assert NEW in unranked
    assert EN["trust_none"] in unranked
    assert browser.get("/suggest?q=dung").json() == FakeDashboardData().search("dung")[:10]
    assert browser.get("/suggest").json() == []


def test_a_ranking_without_anybody_blames_no_filter_that_nobody_set() -> None:
    empty = client(FakeDashboardData(n=0))
    assert EN["kols_nobody_title"] in empty.get("/kols").text
    assert EN["clear"] not in empty.get("/kols").text
    assert EN["clear"] in empty.get("/kols?platform=tiktok").text
    assert EN["trust_nobody"] in empty.get("/trust").text


def test_a_ranking_from_the_lake_says_how_old_it_is() -> None:
    class Data(FakeDashboardData):
        def rankings(
            self, by: RankBy, platform: str | None, limit: int, category: str | None = None, offset: int = 0
        ) -> RankedRows:
            return super().rankings(by, platform, limit, category, offset)._replace(age_s=7300.0)

    for path in ("/kols", "/"):
        assert T("kols_away", age="2 h") in client(Data()).get(path).text
        assert "Redis" not in client().get(path).text


def test_what_a_search_found_has_its_rank_among_all() -> None:
    data = FakeDashboardData()
    ranked = [row.kol_id for row in data.rankings("growth", None, 100).rows]
    text = client(data).get("/kols?q=e&by=growth").text
    shown = re.findall(r'<td class="num muted">([^<]*)</td>', text)
    places = sorted(ranked.index(kol) + 1 for kol in data.search("e") if kol in ranked)
    assert shown == [*map(str, places), *["–"] * (len(shown) - len(places))]
    assert places != list(range(1, len(places) + 1))


def test_a_kol_page_explains_the_score_in_words() -> None:
    page = FakeDashboardData().kol(KOL)
    assert page is not None
    answer = client().get(f"/kols/{KOL}")
    assert "likely lies between" in answer.text
    assert "of its followers are no real audience, likely between" in answer.text
    assert "The score would be" in answer.text
    assert EN["source_redis"] in answer.text
    assert EN[f"feature_{page.contributions[0].feature}"] in answer.text
    parser = tags(answer)
    assert parser.seen.count("svg") >= len(page.contributions) + 3
    first = client().get("/kols/an.beauty00").text
    assert EN["source_stale"] in first
    assert EN["trust_thin"] in first


def test_a_kol_nobody_knows() -> None:
    answer = client().get("/kols/nobody")
    assert answer.status_code == 404
    assert "nobody" in answer.text
    tags(answer)


def test_hostile_ids_are_text_and_nothing_else() -> None:
    browser = client()
    path = f"/kols/{quote(HOSTILE, safe='')}"
    for answer in (browser.get(path), browser.get("/kols?q=<script"), browser.get("/kols/%3Cscript%3Ealert(1)")):
        assert answer.text.count("<script") == 1  # our own
        tags(answer)
    assert f'href="{path}"' in browser.get("/kols?q=<").headers.get("location", "") + browser.get("/kols?q=<s").text
    assert browser.get(path).status_code == 200


def test_a_hostile_alert_is_text() -> None:
    class Data(FakeDashboardData):
        def alerts(self, limit: int) -> list[AlertRow]:
            return [AlertRow(NOW, "<b>", "<i>rule", HOSTILE, {"<u>": "<script>", "x": 1.5, "none": None})]

    for path in ("/", "/alerts"):
        answer = client(Data()).get(path)
        assert answer.text.count("<script") == 1
        assert not re.search(r"<[iu]>", answer.text)
        tags(answer)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ServiceUnavailableError("redis", "secret:6379", "start it"), 503, "error"),
        (RuntimeError("secret detail"), 500, "broken"),
    ],
)
def test_a_store_that_fails_gives_a_page_and_no_detail(error: Exception, status: int, words: str) -> None:
    class Data(FakeDashboardData):
        def overview(self) -> Overview:
            raise error

    answer = client(Data()).get("/")
    assert answer.status_code == status
    assert EN[words] in answer.text
    assert str(error) not in answer.text
    tags(answer)


def test_mounted_beside_an_api_it_keeps_to_its_own_path() -> None:
    app = FastAPI()
    app.add_api_route("/alerts", lambda: {"api": True})
    mount_dashboard(app, build_dashboard(FakeDashboardData(), sign_in, session_ok))
    browser = TestClient(app, follow_redirects=False)
    assert browser.get("/alerts").json() == {"api": True}
    assert browser.get("/").headers["location"] == "/dashboard/"
    assert browser.get("/dashboard/kols").headers["location"] == "/dashboard/signin?next=/kols"
    answer = browser.post("/dashboard/signin", data={"token": TOKEN, "next": "/kols"})
    assert answer.headers["location"] == "/dashboard/kols"
    assert "Path=/;" in answer.headers["set-cookie"], "/docs and event streams of the API ask for it too"
    text = browser.get("/dashboard/kols").text
    links = re.findall(r'(?:href|src|action|data-suggest)="([^"]*)"', text)
    assert [link for link in links if not link.startswith(("/dashboard/", "#"))] == []
    for asset in sorted(set(re.findall(r'/dashboard/static/[^"]*', text))):
        assert browser.get(asset).status_code == 200
    sheet = re.search(r'"(/dashboard/static/dashboard.css[^"]*)"', text)
    assert sheet is not None
    assert "immutable" in browser.get(sheet[1]).headers["cache-control"]
    assert "cache-control" not in browser.get("/dashboard/static/dashboard.css").headers, "it names no content"
    assert browser.get("/dashboard/kols").headers["content-encoding"] == "gzip"
    missing = browser.get("/dashboard/nothing")
    assert missing.status_code == 404
    assert EN["missing"] in missing.text
    tags(missing)


def test_the_pages_load_nothing_from_elsewhere() -> None:
    for path in sorted((HERE / "static").iterdir()) + sorted((HERE / "templates").iterdir()):
        found = re.findall(r"(?:https?:)?//[\w.]+\.\w+", path.read_text())
        assert set(found) <= {"http://www.w3.org"}, path.name


def test_every_string_a_template_asks_for_exists() -> None:
    for path in (HERE / "templates").glob("*.html"):
        for key in re.findall(r"\bt\(['\"](\w+)['\"][,)]", path.read_text()):
            assert key in EN, f"{path.name}: {key}"
    for texts in LANGUAGES.values():
        assert set(texts) <= set(EN)


def test_names_that_the_dictionary_does_not_know() -> None:
    assert name_of(T, "platform", "tiktok") == "TikTok"
    assert name_of(T, "rule", "new_rule") == "New rule"
    assert name_of(T, "tier", None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (0.0123, "0.0123"), (950, "950"), (9_999, "9,999"), (12_345, "12.3k"), (999_960, "1M"),
     (2.5e9, "2.5B"), (float("nan"), "–")],
)  # fmt: skip
def test_compact(value: float | None, text: str) -> None:
    assert formats.compact(value) == text


def test_numbers_as_people_read_them() -> None:
    assert formats.percent(0.0523) == "5.2%"
    assert formats.percent(None) == "–"
    assert formats.whole(-1234.4) == "−1,234"
    assert formats.soft("a.b_<c>") == "a.<wbr>b_<wbr>&lt;c&gt;"
    assert formats.signed(-0.5) == "−0.50"
    assert [formats.age(T, s) for s in (-3, 40, 300, 7200, 3 * 86400)] == ["0 s", "40 s", "5 min", "2 h", "3 d"]
    assert formats.moment(datetime(2026, 3, 1, 23, tzinfo=UTC), timezone(timedelta(hours=7))) == "2 Mar 06:00"
    assert formats.feature_value(T, "comment_repetition", 0.5) == "50.0%"
    assert formats.feature_value(T, "account_age_days", 1840) == "1,840 days"
    assert [formats.verdict(v) for v in (None, 39.4, 39.6, 70)] == ["none", "low", "mixed", "high"]
