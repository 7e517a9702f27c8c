"""What is refused and how it is said, who may ask how often, and what needs no token."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kolray.clock import SystemClock
from kolray.serving.build import build
from kolray.serving.tokens import LOOK_S, Tokens
from kolray.settings import Settings
from tests.fuzzed import fuzz
from tests.served import KOL


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
        ("GET", "/alerts?before=yesterday", None, 422),
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


def test_fuzzed_requests_get_what_is_described(settings: Settings, token: Any) -> None:
    """Ten thousand of them are sent by ``tests/heavy/test_fuzzed_api.py``. Whoever fuzzes also ends the application."""
    seen = fuzz(build(settings), token("read", "score", rate=10**6), 120, KOL)
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
    # It works without the internet: every file is ours, and the policy lets the browser ask nobody else.
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) == 4
    assert all(app.get(file).status_code == 200 for file in files)
    assert "://" not in page.text + page.headers["Content-Security-Policy"]


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


def test_every_answer_says_whether_it_may_be_kept_and_is_safe_in_a_browser(app: TestClient, token: Any) -> None:
    asker = token("read", "score") | {"Origin": "https://elsewhere.example"}
    described = app.get("/openapi.json", headers=asker)
    answers = [described, app.get("/docs", headers=asker), app.get("/docs/static/swagger-ui.css"), app.get("/nothing")]
    for path, operations in described.json()["paths"].items():
        if not path.startswith("/live/"):  # they go on; no-store as of every token
            answers += [app.request(method, path, headers=who) for method in operations for who in (asker, {})]
    assert len(answers) > 20
    for answer in answers:
        assert len(answer.headers.get_list("Cache-Control")) == 1, answer.url
        assert ("ETag" in answer.headers) == ("no-cache" in answer.headers["Cache-Control"]), answer.url
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors" in answer.headers["Content-Security-Policy"]
        if answer.url.path not in ("/collect", "/pixel.gif"):  # tracked pages are elsewhere
            assert "Access-Control-Allow-Origin" not in answer.headers, answer.url


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
