"""The dashboard's pages of trust, campaigns, searches and health over real parts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import polars as pl
import pytest
from fastapi.testclient import TestClient

from kolray.clock import SystemClock
from kolray.errors import ServiceUnavailableError
from kolray.lake.tables import TABLES, LakeTables
from kolray.models.registry import ModelRegistry
from kolray.models.search_log import SearchLog
from kolray.models.searches import Searches
from kolray.serving import trust_overview
from kolray.serving.campaign_list import CampaignList, bars_of
from kolray.serving.dashboard.text import EN
from kolray.serving.kept import Kept
from kolray.serving.page_data import LivePageData
from kolray.serving.system_health import SystemHealth
from kolray.serving.trust_overview import TrustOverview
from kolray.settings import Settings
from kolray.stores.features import FeatureStore
from kolray.stores.open import open_feature_store
from tests.served import KOL

NOW = SystemClock().now().replace(minute=0, second=0, microsecond=0)
HOUR = timedelta(hours=1)


def rows(name: str, *found: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table of the lake, null where they say nothing."""
    full = [dict.fromkeys(TABLES[name]) | row for row in found]
    return pl.DataFrame(full, schema=TABLES[name])


def graph_of(app: TestClient) -> Any:
    return app.app.state.services.graph  # type: ignore[attr-defined]


def test_every_scored_kol_is_in_the_distribution(app: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(app)
    known = {f"kol-{n:04d}": {"kol_id": f"kol-{n:04d}", "platform": "tiktok"} for n in range(400)}
    scored = graph.lookup.scored(list(known)).height
    overview = TrustOverview(graph.lookup, graph.lake, Kept(lambda: known, 60))
    page = overview.page(None, None, "trust:1")
    assert page.scored == scored > 200
    assert page.known == 400
    assert [group.kols for group in page.groups if group.kind == "platform"] == [scored]
    assert overview.page("weibo", None, None).known == 0
    assert not page.sampled
    monkeypatch.setattr(trust_overview, "SAMPLE", 50)
    part = TrustOverview(graph.lookup, graph.lake, Kept(lambda: known, 60)).page(None, None, None)
    assert (part.known, part.sampled) == (50, True)


def test_only_scores_of_one_model_are_compared(tmp_path: Any, settings: Settings) -> None:
    def score(kol_id: str, model: str, hours_ago: int, trust: float) -> dict[str, Any]:
        at = NOW - hours_ago * HOUR
        return {"kol_id": kol_id, "model": model, "as_of": at, "trust_score": trust, "dt": at.date()}

    name = "gold.scores"
    frame = rows(
        name,
        score("fell", "trust:2", 40, 90.0), score("fell", "trust:2", 30, 80.0), score("fell", "trust:2", 0, 20.0),
        score("rose", "trust:2", 26, 40.0), score("rose", "trust:2", 1, 70.0),
        score("judged anew", "trust:1", 30, 90.0), score("judged anew", "trust:2", 0, 10.0),
        score("young", "trust:2", 3, 50.0), score("young", "trust:2", 0, 90.0),
    )  # fmt: skip
    frame.write_delta(str(tmp_path / "gold" / "scores"), delta_write_options={"partition_by": ["dt"]})
    who = {kol_id: {"kol_id": kol_id, "platform": "tiktok"} for kol_id in frame["kol_id"].unique()}
    store: FeatureStore = open_feature_store(settings.redis)
    page = TrustOverview(store, LakeTables(str(tmp_path)), Kept(lambda: who, 60)).page(None, None, None)
    assert [(move.kol_id, move.before, move.now) for move in page.fell] == [("fell", 80.0, 20.0)]
    assert [(move.kol_id, move.before, move.now) for move in page.rose] == [("rose", 40.0, 70.0)]
    assert page.scored == 0
    assert page.compared


def test_without_redis_the_page_of_rankings_is_the_lakes(
    app: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = graph_of(app)
    data = LivePageData(settings, graph)
    live = data.rankings("engagement", None, 10)
    assert live.age_s is None

    def away(*_: Any, **__: Any) -> NoReturn:
        raise ServiceUnavailableError("Redis", "here", "start it")

    monkeypatch.setattr(graph.lookup, "rankings", away)
    held = data.rankings("engagement", None, 10)
    assert held.age_s is not None
    assert [(row.kol_id, row.value) for row in held.rows] == [(row.kol_id, row.value) for row in live.rows]
    assert [row.trust for row in held.rows] == [row.trust for row in live.rows], "of the metrics store"
    monkeypatch.setattr(graph.store, "alerts", away)
    told = data.overview()
    assert (told.alerts_24h, told.updated_at) == (None, None)
    assert told.kols == 240


def test_without_the_metrics_store_pages_show_what_the_others_know(
    app: TestClient, token: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> NoReturn:
        raise ServiceUnavailableError("Cassandra", "here", "start it")

    for name in ("alerts", "windows", "scores"):
        monkeypatch.setattr(graph_of(app).store, name, away)
    browser = TestClient(app.app, follow_redirects=False)
    browser.post("/dashboard/signin", data={"token": token("read")["Authorization"].removeprefix("Bearer ")})
    pages = {path: browser.get(f"/dashboard{path}") for path in ("/", "/kols", f"/kols/{KOL}", "/trust", "/alerts")}
    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(pages, 200) | {"/alerts": 503}
    assert pages["/"].text.count(EN["part_away"]) == 1
    assert pages[f"/kols/{KOL}"].text.count(EN["part_away"]) >= 2, "windows and alerts"
    assert EN["trust_of"] in pages[f"/kols/{KOL}"].text
    assert EN["error_title"] in pages["/alerts"].text


@pytest.mark.parametrize(("hours", "first_ago"), [((), None), ((5, 0), 5)])
def test_without_scores_a_day_apart_it_says_from_when_there_can_be_some(
    tmp_path: Any, settings: Settings, hours: tuple[int, ...], first_ago: int | None
) -> None:
    ats = [NOW - ago * HOUR for ago in hours]
    scores = [
        {"kol_id": "a", "model": "trust:2", "as_of": at, "trust_score": 1.0 * n, "dt": at.date()}
        for n, at in enumerate(ats)
    ]
    rows("gold.scores", *scores).write_delta(str(tmp_path / "gold" / "scores"))
    who = {"a": {"kol_id": "a", "platform": "tiktok"}}
    store: FeatureStore = open_feature_store(settings.redis)
    page = TrustOverview(store, LakeTables(str(tmp_path)), Kept(lambda: who, 60)).page(None, None, None)
    assert not page.compared
    assert page.moves_from == (None if first_ago is None else NOW + (24 - first_ago) * HOUR)


def test_campaigns_come_from_the_newest_batch_with_their_clicks(tmp_path: Any) -> None:
    def told(campaign: str, metric: str, ago_h: int, **more: Any) -> dict[str, Any]:
        at = NOW - ago_h * HOUR
        mine = {"campaign_id": campaign, "kol_id": "a", "metric": metric, "as_of": at, "dt": at.date()}
        return mine | {"state": "running", "start": NOW - 48 * HOUR} | more

    outlook = rows(
        "gold.campaign_outlook",
        told("one", "engagement", 24, actual=1.0, lift=9.0),
        told("one", "engagement", 0, actual=10.0, total=30.0, lift=0.2, lift_lower=0.1, lift_upper=0.3),
        told("one", "roi", 0, actual=-0.5, total=0.4),
        told("two", "engagement", 0, state="ended", actual=70.0, lift=0.1, lift_lower=-0.1, lift_upper=0.3),
        told("two", "roi", 0, state="ended", actual=-0.1),
    )
    outlook.write_delta(str(tmp_path / "gold" / "campaign_outlook"))
    hours = [
        {"campaign_id": "one", "kol_id": "a", "hour": NOW - h * HOUR, "web_clicks": h, "dt": NOW.date()}
        for h in range(48, 0, -1)
    ]
    rows("gold.campaign_hourly", *hours).write_delta(str(tmp_path / "gold" / "campaign_hourly"))
    campaigns = CampaignList(LakeTables(str(tmp_path)), lambda _: False)
    page = campaigns.page(None, "engagement", 50, 0)
    assert [(row.campaign_id, row.engagement, row.roi) for row in page.rows] == [
        ("two", 70.0, -0.1),
        ("one", 10.0, 0.4),
    ]
    assert (page.total, page.states, page.sure) == (2, {"running": 1, "ended": 1}, 1)
    assert sum(page.rows[1].clicks) == sum(value for _, value in page.history) == sum(range(1, 49))
    assert len(page.rows[1].clicks) == 24
    assert [row.campaign_id for row in campaigns.page("ended", "start", 50, 0).rows] == ["two"]
    assert campaigns.page(None, "start", 1, 1).total == 2
    assert CampaignList(LakeTables(str(tmp_path)), lambda _: True).page(None, "start", 9, 0).rows == []
    assert CampaignList(LakeTables(str(tmp_path / "none")), lambda _: True).page(None, "start", 9, 0).total == 0


def test_silent_parts_of_a_campaigns_time_are_bars_of_nothing() -> None:
    at = [NOW, NOW + 5 * HOUR]
    hours = pl.DataFrame({"campaign_id": ["c"] * 2, "kol_id": ["k"] * 2, "at": at, "value": [1.0, 2.0]})
    assert bars_of(hours) == {("c", "k"): [1.0, 0.0, 0.0, 0.0, 0.0, 2.0]}


def test_looking_for_searches_makes_nothing(tmp_path: Any) -> None:
    assert Searches(ModelRegistry(f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path))).newest() == []
    assert list(tmp_path.iterdir()) == []


def test_a_search_is_read_while_it_runs_and_when_it_was_judged(settings: Settings) -> None:
    registry = ModelRegistry.of(settings)
    searches = Searches(registry)
    assert searches.newest() == []
    log = SearchLog.begin(registry, "trust", "data", 3)
    log.reported("t1", {"eta": 0.1}, 20, 0.5)
    log.reported("t1", {"eta": 0.1}, 40, 0.3)
    log.ended("t1")
    log.reported("t2", {"eta": 0.2}, 20, 0.4)
    [row] = searches.newest()
    assert (row.kind, row.trials, row.wanted, row.loss, row.ended, row.kept) == ("trust", 2, 3, 0.3, None, None)
    log.reported("t2", {"eta": 0.2}, 40, 0.2)
    found = searches.find(row.search_id)
    assert found is not None
    first, second = found[1]
    assert (first.params, first.losses, first.running) == ({"eta": 0.1}, [(20, 0.5), (40, 0.3)], False)
    assert (second.best, second.running) == (0.2, True)
    log.finish({"kept": False}, {"test_auc_tuned": 0.9})
    found = searches.find(row.search_id)
    assert found is not None
    assert found[0].kept is False
    assert found[2]["test_auc_tuned"] == 0.9
    assert searches.find(row.search_id[::-1]) is None


def test_health_names_what_answers_and_what_does_not(app: TestClient, settings: Settings) -> None:
    away = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"bootstrap": "127.0.0.1:1"})})
    page = SystemHealth(away, graph_of(app)).page(None, None)
    states = {part.name: part.state for part in page.parts}
    assert states.pop("kafka") == "away"
    assert set(states) == {"redis", "metrics_store", "lake", "mlflow"}
    assert "away" not in states.values()
    assert {part.name: part.breaker for part in page.parts}["redis"] == "closed"
    assert [(model.name, model.champion, model.in_use) for model in page.models] == [
        ("trust", 1, "trust:1"),
        ("success", 1, "success:1"),
    ]
    written = {table.name for table in page.tables if table.written_at is not None}
    assert {"gold.features", "gold.kpi_hourly", "gold.forecasts"} <= written
    assert page.features_at is not None
