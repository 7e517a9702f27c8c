"""The HTTP contract on real stores, models and rate limits: answers, refusals, and what happens while Redis is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import psutil
import pytest
from fastapi.testclient import TestClient

from kolray import local
from kolray.clock import SystemClock, to_ms
from kolray.connectors.reading import committed
from kolray.events import TIME
from kolray.lake.erasure.trace import Trace
from kolray.lake.tables import LakeTables
from kolray.models.forget import forget
from kolray.models.lifecycle import complete_hours, submit
from kolray.models.lifecycle import train as fit
from kolray.models.registry import ModelRegistry
from kolray.schemas.registry import FileRegistry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.serving.build import build
from kolray.serving.tokens import LOOK_S, Tokens
from kolray.settings import Settings
from kolray.stores.open import open_feature_store
from kolray.stream import denied
from tests.campaigns import put_rows
from tests.fuzzed import fuzz
from tests.served import CLOSED, FIVE, KOL, served_home
from tests.silver import START

HOURS = ["kol_id", "window_start", "likes", "comments", "shares", "followers_first", "followers_last"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The embedded profile with a lake, two champions and their scores, and a day of windows of one KOL."""
    home = tmp_path_factory.mktemp("serving")
    yield served_home(home)
    local.down(home)


@pytest.fixture(scope="module")
def app(settings: Settings) -> TestClient:
    """The application without a token."""
    return TestClient(build(settings), follow_redirects=False)


@pytest.fixture
def token(settings: Settings, request: pytest.FixtureRequest) -> Callable[..., dict[str, str]]:
    """Makes the header of a new token."""
    made = iter(range(99))

    def make(*scopes: str, rate: int = 10_000) -> dict[str, str]:
        name = f"{request.node.name}-{next(made)}"
        return {"Authorization": f"Bearer {Tokens.of(settings).create(name, scopes, rate)}"}

    return make


@pytest.fixture
def ask(app: TestClient, token: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """The body of an answer that is fine."""
    header = token("read", "score")

    def asked(path: str, body: dict[str, Any] | None = None) -> Any:
        answer = app.get(path, headers=header) if body is None else app.post(path, json=body, headers=header)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asked


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


def _rows(ask: Callable[..., Any], window: str, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    query = f"window={window}&from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
    rows = ask(f"/kol/{KOL}/metrics?{query}")["windows"]
    return [(datetime.fromisoformat(r["window_start"]), r["final"], r["likes"]) for r in rows]


def test_windows_still_open_are_sums_of_their_panes(ask: Callable[..., Any]) -> None:
    end = CLOSED + timedelta(hours=1)
    assert _rows(ask, "5m", CLOSED - FIVE, end) == [
        (CLOSED - FIVE, True, 2),
        (CLOSED, False, 2),
        (CLOSED + FIVE, False, 2),
    ]
    assert _rows(ask, "1h", CLOSED - timedelta(hours=1), end) == [
        (CLOSED - timedelta(hours=1), True, 24),
        (CLOSED, False, 4),
    ]
    sliding = _rows(ask, "15m/5m", CLOSED - 3 * FIVE, end)
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
    assert ask("/alerts?kol_id=nobody")["alerts"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/kol/score", {}, 422),
        ("POST", "/kol/score", {"kol_id": ""}, 422),
        ("POST", "/kol/score", {"kol_id": "x", "surprise": 1}, 422),
        ("POST", "/kol/score", {"kol_id": KOL, "as_of": "2026-01-01T00:00:00"}, 422),
        ("POST", "/kol/score", {"kol_id": "nobody"}, 404),
        ("POST", "/forecast/predict", {"kol_id": KOL, "horizon_h": 25}, 422),
        ("POST", "/forecast/predict", {"kol_id": KOL, "metric": "luck"}, 422),
        ("POST", "/forecast/predict", {"kol_id": "nobody"}, 404),
        ("POST", "/kol/score/batch", {"kol_ids": []}, 422),
        ("POST", "/kol/score/batch", {"kol_ids": [KOL] * 1001}, 422),
        ("GET", f"/kol/{KOL}/metrics?window=7m", None, 422),
        ("GET", f"/kol/{KOL}/metrics?from=yesterday", None, 422),
        ("GET", "/rankings?limit=0", None, 422),
        ("GET", "/rankings?offset=-1", None, 422),
        ("GET", "/rankings?by=luck", None, 422),
        ("GET", "/nothing/here", None, 404),
        ("DELETE", "/alerts", None, 405),
    ],
)
def test_a_refusal_is_a_problem_that_says_why(
    app: TestClient, token: Any, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    headers = token("read", "score") | {"X-Request-Id": "mine-1"}
    answer = app.request(method, path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"] == "mine-1"
    assert problem["instance"] == path.split("?", maxsplit=1)[0]
    assert problem["detail"]


def test_fuzzed_requests_get_what_is_described(app: TestClient, token: Any) -> None:
    """Ten thousand of them are sent by ``tests/heavy/test_fuzzed_api.py``."""
    seen = fuzz(app.app, token("read", "score", rate=10**6), 120, KOL)  # type: ignore[arg-type]
    assert {"POST /kol/score 200", "POST /kol/score 404", "POST /kol/score 422", "GET /alerts 422"} <= set(seen)


def test_a_body_that_is_not_json(app: TestClient, token: Any) -> None:
    answer = app.post("/kol/score", content=b"{torn", headers=token("score") | {"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "JSON" in answer.json()["detail"]


def test_tokens_scopes_and_rates(app: TestClient, token: Any, settings: Settings) -> None:
    assert app.get("/alerts").status_code == 401
    assert app.get("/alerts", headers={"Authorization": "Bearer wrong"}).headers["WWW-Authenticate"] == "Bearer"
    refused = app.post("/kol/score", json={"kol_id": KOL}, headers=token("read"))
    assert (refused.status_code, refused.json()["detail"].count("--scope score")) == (403, 1)
    assert app.get("/alerts", headers=token("admin")).status_code == 200
    slow = token("read", rate=3)
    answers = [app.get("/alerts", headers=slow) for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert [a.headers["RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    Tokens.of(settings).revoke("test_tokens_scopes_and_rates-2")
    SystemClock().sleep(LOOK_S)
    assert app.get("/alerts", headers=slow).status_code == 401


def test_health_alone_needs_no_token(app: TestClient, token: Any) -> None:
    assert app.get("/healthz").json() == {"status": "ok"}
    ready = app.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["models"] == {"trust": "trust:1", "success": "success:1"}
    reader = token("read")
    counted = app.get("/metrics", headers=reader).text
    assert 'kolray_http_request_seconds_count{route="/healthz",status="200"}' in counted
    described = app.get("/openapi.json", headers=reader).json()["paths"]
    assert {"/kol/score", "/forecast/predict", "/kol/{kol_id}/metrics", "/rankings", "/alerts"} <= set(described)
    open_to_all = {"/healthz", "/readyz", "/", "/docs"}
    asked = {path for path in described if path not in open_to_all} | {"/openapi.json"}
    for path in sorted(asked):
        method = "POST" if "post" in described.get(path, {}) else "GET"
        refused = app.request(method, path, json={} if method == "POST" else None)
        assert refused.status_code in (401, 422), path
        if refused.status_code == 422:  # a body that is not valid is told before a token that is not
            assert method == "POST"
    assert app.get("/docs").headers["location"] == "/dashboard/signin"
    page = app.get("/docs", headers=reader)
    assert page.status_code == 200
    assert "swagger" in page.text


def test_a_list_that_did_not_change_is_not_sent_again(app: TestClient, token: Any) -> None:
    reader = token("read")
    first = app.get(f"/alerts?kol_id={KOL}", headers=reader)
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = app.get(f"/alerts?kol_id={KOL}", headers=reader | {"If-None-Match": f'"x", {first.headers["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["RateLimit-Remaining"]
    other = app.get("/alerts?kol_id=nobody", headers=reader | {"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200
    scored = app.post("/kol/score", json={"kol_id": KOL}, headers=token("score"))
    assert scored.headers["Cache-Control"] == "no-store"
    assert "ETag" not in scored.headers


def test_the_dashboard_signs_in_with_a_token(app: TestClient, token: Any) -> None:
    assert app.get("/").is_redirect
    page = app.get("/dashboard/signin")
    assert "password" in page.text
    text = token("read")["Authorization"].removeprefix("Bearer ")
    browser = TestClient(app.app, follow_redirects=True, base_url="https://testserver")
    entered = browser.post("/dashboard/signin", data={"token": text})
    assert entered.status_code == 200
    assert KOL in browser.get(f"/dashboard/kols/{KOL}").text
    assert text not in entered.text


def test_models_move_with_their_alias_and_a_past_score_stays_what_it_was(
    settings: Settings, app: TestClient, ask: Callable[..., Any]
) -> None:
    graph, registry, who = app.app.state.services.graph, ModelRegistry.of(settings), "kol-0050"
    answered = ask("/kol/score", {"kol_id": who, "explain": True})
    submit(registry, "trust", fit("trust", settings.lake_root))
    registry.set_alias("trust", 2, "champion")
    graph.champions.refresh()
    changed = pl.DataFrame([graph.lookup.get_features(who).values | {"kol_id": who, "followers": 1.0}])
    graph.lookup.put_features(changed.with_columns(as_of=pl.lit(SystemClock().now())))
    assert ask("/kol/score", {"kol_id": who})["model"] == "trust:2"
    again = ask("/kol/score", {"kol_id": who, "explain": True, "as_of": answered["timestamp"]})
    for part in ("timestamp", "features", "success_forecast"):
        del again[part], answered[part]
    assert again == answered
    assert again["model"] == "trust:1"


def test_an_erased_kol_is_unknown_and_reports_of_older_versions_name_nobody(
    settings: Settings, app: TestClient, ask: Callable[..., Any], token: Any
) -> None:
    gone, other = "kol-0007", "kol-0008"
    registry = ModelRegistry.of(settings)
    run_id, report = next((run_id, held) for run_id, held in registry.reports() if "sample" in held)
    assert not Trace("kol-0001").in_json(report), "today's reports hold ranks"
    named = [{"kol_id": kol_id, **shown} for kol_id, shown in zip((gone, other, KOL), report["sample"], strict=True)]
    registry.replace_report(run_id, report | {"sample": named}, {})
    assert ask("/kol/score", {"kol_id": gone})["kol_id"] == gone
    assert app.app.state.services.graph.lookup.get_forecast(gone, "engagement")

    steps = {step.name: step.detail for step in forget(settings, gone, started=lambda _: None)}
    assert steps["scan"]["found"] == 0, steps["scan"]
    assert steps["artifacts"]["reports"] == 1
    assert steps["count"]["rows"]["gold.forecasts"] % 24 == 0
    assert dict(registry.reports())[run_id]["sample"] == report["sample"]
    assert steps["stores"]["redis_keys"] >= 5
    SystemClock().sleep(denied.LOOK_S)
    asker = token("read", "score")
    bodies = {"/kol/score": {"kol_id": gone}, "/forecast/predict": {"kol_id": gone, "metric": "engagement"}}
    answers = [app.post(path, json=body, headers=asker) for path, body in bodies.items()]
    answers += [app.get(path, headers=asker) for path in (f"/kol/{gone}/metrics", f"/alerts?kol_id={gone}")]
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert answer.json()["detail"] == f"nothing is known about the KOL '{gone}'"
    assert not any(row["kol_id"] == gone for row in ask("/rankings?limit=1000")["ranking"])
    assert ask("/kol/score", {"kol_id": other})["kol_id"] == other


def test_without_redis_scores_come_from_the_lake_and_rankings_say_what_is_missing(
    settings: Settings, app: TestClient, ask: Callable[..., Any], token: Any
) -> None:
    strict = token("read", rate=4)
    redis = next(s for s in local.status(settings.home) if s.name == "redis")
    for server in psutil.Process(redis.pid).children():
        server.kill()
        server.wait(10)
    score = ask("/kol/score", {"kol_id": KOL})
    assert score["features"]["source"] == "metrics_store"
    assert len(_rows(ask, "5m", CLOSED - FIVE, CLOSED)) == 1
    ranking = app.get("/rankings", headers=strict)
    assert (ranking.status_code, ranking.headers["Retry-After"]) == (503, "2")
    assert "Redis" in ranking.json()["detail"]
    assert app.get("/alerts", headers=strict).status_code == 429, "a replica alone grants a quarter of the rate"
    assert app.get("/readyz").status_code == 503
    assert datetime.fromisoformat(score["timestamp"]).tzinfo == UTC


def test_tracked_pages_need_no_token_and_reach_kafka(app: TestClient, settings: Settings) -> None:
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    visit = {"kol_id": KOL, "campaign_id": "c-tracked", "consent": "1", "ack": "1"}
    assert app.get("/pixel.gif", params=visit, headers=browser).headers["Content-Type"] == "image/gif"
    told = app.post("/collect?ack=1", json=[visit | {"event_type": "click"}, {}], headers=browser)
    assert told.status_code == 202
    places = [("events.web.raw", number) for number in range(settings.kafka.partitions)]
    registry = FileRegistry()
    values = [message.value() or b"" for message in committed(settings.kafka, places)]
    rows = [decode_value(value, registry.schema(schema_id_of(value))) for value in values]
    mine = sorted(row["event_type"] for row in rows if row["campaign_id"] == "c-tracked")
    assert mine == ["click", "impression"]
    assert app.post("/collect", content=b"{", headers=browser).headers["Content-Type"] == "application/problem+json"
