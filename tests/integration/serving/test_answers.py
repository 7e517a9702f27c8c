"""What the HTTP contract answers on real stores and models."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from kolray.clock import to_ms
from kolray.events import TIME
from kolray.lake.tables import LakeTables
from kolray.models.forecasts import RANKED
from kolray.models.lifecycle import complete_hours
from kolray.models.registry import LoadedModel
from kolray.serving.scoring import ScoringGraph
from kolray.settings import Settings
from kolray.stores.open import open_feature_store, open_metrics_store
from tests.campaigns import put_rows
from tests.served import CLOSED, FIVE, KOL, window_rows
from tests.silver import START

HOURS = ["kol_id", "window_start", "likes", "comments", "shares", "followers_first", "followers_last"]


def test_a_campaign_is_answered_and_forecast_from_the_newest_batch(
    ask: Callable[..., Any], settings: Settings, app: TestClient, token: Callable[..., dict[str, str]]
) -> None:
    told = {"campaign_id": "cmp", "kol_id": KOL, "metric": "clicks", "as_of": CLOSED, "dt": CLOSED.date()}
    row = told | {
        "state": "running",
        "actual": 4.0,
        "day": 6.0,
        "day_lower": 2.0,
        "day_upper": 9.0,
        "troubles": "no_end",
    }
    point = told | {"at": CLOSED, "value": 1.5, "lower": 0.0, "upper": 4.0}
    tables = LakeTables(settings.lake_root)
    for name, rows in (("gold.campaign_outlook", [row]), ("gold.campaign_forecasts", [point])):
        put_rows(tables, name, pl.DataFrame(rows))
    mine = ask("/campaigns/cmp")["kols"][0]
    assert mine["counts"][0]["next_24h"] == {"value": 6.0, "lower": 2.0, "upper": 9.0}
    assert "no forecast to the end" in mine["notes"]["no_end"]
    body = {"kol_id": KOL, "campaign_id": "cmp", "metric": "clicks"}
    assert ask("/forecast/predict", body)["points"][0]["value"] == 1.5
    answer = app.get("/campaigns/none", headers=token("read"))
    assert (answer.status_code, answer.json()["title"]) == (404, "Not found")


def test_a_score_says_where_it_comes_from_and_what_made_it(ask: Callable[..., Any]) -> None:
    score = ask("/kol/score", {"kol_id": KOL, "explain": True})
    assert score["trust_interval"][0] <= score["trust_score"] <= score["trust_interval"][1]
    assert score["model"] == "trust:1"
    assert score["features"]["source"] == "redis"
    assert score["success_forecast"] > 0
    effects = [abs(c["contribution"]) for c in score["contributions"]]
    assert effects == sorted(effects, reverse=True)
    assert "contributions" in score
    assert ask("/kol/score", {"kol_id": KOL, "explain": True}) == score
    assert ask("/kol/score", {"kol_id": KOL})["contributions"] is None


def test_the_quick_way_answers_as_the_ordinary_one(
    app: TestClient, token: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, header = app.app.state.services, token("score")  # type: ignore[attr-defined]
    graph = services.graph
    kols = sorted(graph.lookup.get_forecasts([f"kol-{n:04d}" for n in range(240)], RANKED))[-40:]
    hold_fresh(graph, kols)
    assert app.post("/kol/score", json={"kol_id": KOL}, headers=header).is_success  # the token is known from here on
    monkeypatch.setattr(services.tokens, "_next_look", float("inf"))
    monkeypatch.setattr(graph._denied, "_next", float("inf"))
    ordinary = {(kol_id, explain): graph.score(kol_id, explain=explain) for kol_id in kols for explain in (False, True)}
    monkeypatch.delattr(type(graph), "score")
    for _ in ("made", "kept"):
        for (kol_id, explain), answer in ordinary.items():
            quick = app.post("/kol/score", json={"kol_id": kol_id, "explain": explain}, headers=header)
            assert _timeless(quick.json()) == _timeless(answer.model_dump(mode="json"))
            assert quick.headers["RateLimit-Limit"] == "10000"
            assert quick.headers["Cache-Control"] == "no-store"


def hold_fresh(graph: ScoringGraph, kols: list[str]) -> None:
    """Redis has features of now, and no answers."""
    graph.lookup.cache_drop(kols)
    features = graph.lake.scan("gold.features").filter(pl.col("kol_id").is_in(kols)).drop("dt", strict=False)
    graph.lookup.put_features(features.with_columns(as_of=pl.lit(graph.clock.now()).cast(TIME)).collect())


@pytest.mark.parametrize("content", ["application/json", "application/json; charset=utf-8"], ids=["quick", "ordinary"])
@pytest.mark.parametrize("explain", [True, False])
def test_an_answer_by_another_model_than_was_asked_for_is_not_kept(
    app: TestClient,
    token: Callable[..., dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    explain: bool,
) -> None:
    """a trial ends ─┐
    asked: trust:1 ──┴── answered by: trust:7"""
    graph, header = app.app.state.services.graph, token("score") | {"Content-Type": content}  # type: ignore[attr-defined]
    hold_fresh(graph, [KOL])
    champion, answer = graph.champions.get("trust"), graph.canary.answer
    other = LoadedModel(champion.model, "trust", 7)

    def by() -> str:
        body = f'{{"kol_id": "{KOL}", "explain": {str(explain).lower()}}}'
        return app.post("/kol/score", content=body, headers=header).json()["model"]

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(graph.canary, "answer", lambda *asked: (other, answer(*asked)[1]))
        assert by() == "trust:7"
    assert by() == "trust:1"


def _timeless(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"timestamp": None, "features": answer["features"] | {"age_s": None}}


def test_an_answer_begun_before_the_features_changed_is_not_kept(app: TestClient) -> None:
    """score asked ── made of old features ──┬── put: refused
    a final window, a score ─────────── drop ┘"""
    store = app.app.state.services.graph.lookup
    lease = store.cache_get("kol-9", "score", 60).lease
    store.cache_put("kol-9", "score", b"first", 60, lease)
    assert store.cache_get("kol-9", "score", 60) == (b"first", lease)
    store.cache_drop(["kol-9"])
    store.cache_put("kol-9", "score", b"late", 60, lease)
    asked_after = store.cache_get("kol-9", "score", 60)
    assert asked_after.answer is None
    store.cache_put("kol-9", "score", b"new", 60, asked_after.lease)
    assert store.cache_get("kol-9", "score", 60).answer == b"new"


def test_a_score_that_arrives_ends_a_kept_answer(settings: Settings, ask: Callable[..., Any]) -> None:
    """A final window does too: ``tests/unit/stream/test_store_writer.py``."""
    kept = ask("/kol/score", {"kol_id": KOL})
    assert ask("/kol/score", {"kol_id": KOL}) == kept
    with closing(open_feature_store(settings.redis)) as live, closing(open_metrics_store(settings)) as store:
        live.put_scores(store.scores(KOL), None)
    assert ask("/kol/score", {"kol_id": KOL})["timestamp"] > kept["timestamp"]


def test_a_score_of_events_that_the_request_brings(ask: Callable[..., Any], app: TestClient, token: Any) -> None:
    at = START + timedelta(days=300)
    liked = {"event_type": "engagement", "platform": "x", "event_time": at.isoformat(), "likes": 5, "impressions": 90}
    clicked = {"event_type": "click", "campaign_id": "c", "event_time": to_ms(at), "visitor": "v", "url": "/"}
    body = {"kol_id": "in no lake", "as_of": (at + timedelta(hours=1)).isoformat(), "events": [liked, clicked]}
    score = ask("/kol/score", body | {"explain": True})
    assert (score["kol_id"], score["features"]) == ("in no lake", {"source": "request", "age_s": 0.0, "stale": False})
    assert score["thin_data"]
    values = {c["feature"]: c["value"] for c in score["contributions"]}
    assert values["engagement_rate"] == pytest.approx(5 / 90)
    for events, told in (
        ([liked | {"kol_id": "another"}], "events of another: give those of in no lake alone"),
        ([liked, liked | {"likes": -1}], "social event 2 is broken: negative: likes"),
        ([liked | {"event_time": "2031-01-01T00:00:00Z"}], "no event in the 28 days before"),
    ):
        refused = app.post("/kol/score", json=body | {"events": events}, headers=token("score"))
        assert refused.status_code == 422
        assert told in refused.json()["detail"]
    assert app.post("/kol/score", json=body | {"events": []}, headers=token("score")).status_code == 422


def test_a_score_of_the_past_reads_the_lake_of_then(ask: Callable[..., Any], app: TestClient, token: Any) -> None:
    later = (START + timedelta(hours=97)).isoformat()
    assert ask("/kol/score", {"kol_id": KOL, "as_of": later})["features"] == {
        "source": "lake",
        "age_s": 3600.0,
        "stale": False,
    }
    body = {"kol_id": KOL, "as_of": START.isoformat()}
    assert app.post("/kol/score", json=body, headers=token("score")).status_code == 404


def test_a_batch_says_of_each_kol_what_it_is_told_alone(ask: Callable[..., Any], settings: Settings) -> None:
    lookup = open_feature_store(settings.redis)
    lookup.forget("kol-0100")  # the lake still knows it
    batch = ask("/kol/score/batch", {"kol_ids": ["kol-0100", "nobody", KOL, "kol-0030"]})
    assert [item["kol_id"] for item in batch["results"]] == ["kol-0100", "nobody", KOL, "kol-0030"]
    assert (batch["scored"], batch["model"]) == (3, "trust:1")
    lake, nobody, mine, other = batch["results"]
    assert nobody["error"] == {"status": 404, "title": "Not found", "detail": "nothing is known about the KOL 'nobody'"}
    assert nobody["score"] is None
    assert lake["score"]["features"]["source"] == "lake"
    for item in (mine, other):
        alone = ask("/kol/score", {"kol_id": item["kol_id"]})
        for moment in ("timestamp", "features"):
            del item["score"][moment], alone[moment]
        assert item["score"] == alone


def test_the_forecast_has_an_hour_a_point_within_its_interval(ask: Callable[..., Any]) -> None:
    answer = ask("/forecast/predict", {"kol_id": KOL, "horizon_h": 6})
    points = answer["points"]
    assert (answer["source"], datetime.fromisoformat(answer["origin"])) == ("computed", CLOSED)
    hours = [datetime.fromisoformat(p["at"]) for p in points]
    assert [b - a for a, b in pairwise(hours)] == [timedelta(hours=1)] * 5
    assert all(0 <= p["lower"] <= p["value"] <= p["upper"] for p in points)


def test_the_batch_answers_for_a_kol_of_whom_the_lake_alone_knows(ask: Callable[..., Any]) -> None:
    answer = ask("/forecast/predict", {"kol_id": "kol-0002"})
    assert (answer["source"], datetime.fromisoformat(answer["origin"])) == ("batch", START + timedelta(hours=96))
    assert (answer["model"], len(answer["points"])) == ("success:1", 24)


def test_progress_and_forecasts_in_redis_never_run_back(settings: Settings) -> None:
    url = settings.redis.url.removesuffix("0") + "2"
    with closing(open_feature_store(settings.redis.model_copy(update={"url": url}))) as lookup:
        assert lookup.progress() is None
        hours = pl.DataFrame([(KOL, CLOSED, 1, 1, 1, 1, 1)], schema=HOURS, orient="row").cast({"window_start": TIME})
        lookup.put_hours(hours)
        for minutes in (65, 5):
            lookup.put_progress(hours.with_columns(pl.col("window_start") + timedelta(minutes=minutes)))
        assert lookup.progress() == (CLOSED + timedelta(minutes=65), CLOSED + timedelta(hours=1))
        for origin, model in ((CLOSED, "m:1"), (CLOSED - timedelta(hours=1), "m:2"), (CLOSED, "m:3")):
            told = {"kol_id": KOL, "metric": "views", "origin": origin, "model": model}
            rows = pl.DataFrame([told | {"value": [1.234, 5.0], "lower": [1.0, 4.0], "upper": [2.0, 6.0]}])
            lookup.put_forecasts(rows.cast({"origin": TIME}))
        held = lookup.get_forecast(KOL, "views")
        assert held is not None
        assert (held.origin, held.model, held.value) == (CLOSED, "m:3", [1.23, 5.0])
        assert lookup.forget(KOL) >= 2
        assert lookup.traces(KOL) == 0


def test_windows_still_open_are_sums_of_their_panes(ask: Callable[..., Any]) -> None:
    end = CLOSED + timedelta(hours=1)
    assert window_rows(ask, "5m", CLOSED - FIVE, end) == [
        (CLOSED - FIVE, True, 2),
        (CLOSED, False, 2),
        (CLOSED + FIVE, False, 2),
    ]
    assert window_rows(ask, "1h", CLOSED - timedelta(hours=1), end) == [
        (CLOSED - timedelta(hours=1), True, 24),
        (CLOSED, False, 4),
    ]
    sliding = window_rows(ask, "15m/5m", CLOSED - 3 * FIVE, end)
    assert sliding == [
        (CLOSED - 3 * FIVE, True, 6),
        (CLOSED - 2 * FIVE, False, 6),
        (CLOSED - FIVE, False, 6),
        (CLOSED, False, 4),
        (CLOSED + FIVE, False, 2),
    ]


def test_pages_of_windows_join_without_gap_or_overlap(ask: Callable[..., Any]) -> None:
    start: str | None = (CLOSED - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    seen = []
    while start:
        page = ask(f"/kol/{KOL}/metrics?from={start}&limit=100")
        seen += [row["window_start"] for row in page["windows"]]
        start = page["next"]
    assert len(seen) == len(set(seen)) == 290
    assert seen == sorted(seen)


def test_a_ratio_without_a_denominator_is_null(ask: Callable[..., Any]) -> None:
    row = ask(f"/kol/{KOL}/metrics")["windows"][0]
    assert row["engagement_rate"] == pytest.approx(0.2)
    assert row["web_ctr"] is None


def test_rankings_by_everything_filtered_and_in_pages(ask: Callable[..., Any]) -> None:
    for by in ("trust", "success", "engagement"):
        ranking = ask(f"/rankings?by={by}&limit=5")["ranking"]
        assert [r["rank"] for r in ranking] == [1, 2, 3, 4, 5]
        assert [r["value"] for r in ranking] == sorted((r["value"] for r in ranking), reverse=True)
    assert ask("/rankings?by=growth")["total"] == 0, "no followers were seen"
    best = ask("/rankings?limit=3")["ranking"]
    assert best[0]["value"] == pytest.approx(
        ask("/kol/score", {"kol_id": best[0]["kol_id"]})["trust_interval"][0], abs=0.01
    )
    for query in ("platform=tiktok", "category=food", "platform=tiktok&category=food"):
        assert ask(f"/rankings?{query}&limit=3")["ranking"] == best
    assert ask("/rankings?platform=nowhere")["ranking"] == ask("/rankings?category=nothing")["ranking"] == []
    offset, seen = 0, []
    while offset is not None:
        page = ask(f"/rankings?limit=100&offset={offset}")
        seen, offset = seen + page["ranking"], page["next"]
    assert [row["rank"] for row in seen] == list(range(1, page["total"] + 1))
    assert len({row["kol_id"] for row in seen}) == page["total"] > 200


def test_the_stream_ranks_hours_as_the_batch_does(settings: Settings, ask: Callable[..., Any]) -> None:
    batch = ask("/rankings?by=engagement&limit=1000")["ranking"]
    url = settings.redis.url.removesuffix("0") + "1"
    empty = open_feature_store(settings.redis.model_copy(update={"url": url}))
    for _, rows in complete_hours(settings.lake_root).sort("hour").group_by("hour", maintain_order=True):
        empty.put_hours(rows.rename({"hour": "window_start"}))
    empty.sweep_rankings()
    assert [(r.kol_id, r.value) for r in empty.rankings("engagement", limit=1000).rows] == [
        (r["kol_id"], r["value"]) for r in batch
    ]


def test_alerts(ask: Callable[..., Any]) -> None:
    assert [a["alert_id"] for a in ask(f"/alerts?kol_id={KOL}&limit=2")["alerts"]] == ["a2", "a1"]
    assert ask("/alerts?kol_id=nobody") == {"alerts": [], "next": None}
    whole, place, pages = ask(f"/alerts?kol_id={KOL}")["alerts"], "", []
    while place is not None:
        page = ask(f"/alerts?kol_id={KOL}&limit=1{place and '&before=' + place}")
        pages, place = [*pages, *page["alerts"]], page["next"]
    assert pages == whole
