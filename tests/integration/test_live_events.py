"""Server-sent events on a real Redis: what changed, where a reader goes on, and who may read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient

from kolray.clock import SystemClock, to_ms
from kolray.events import TIME
from kolray.features.window_metrics import METRICS
from kolray.local import servers
from kolray.local.profiles import one_server
from kolray.serving import live
from kolray.serving.build import build
from kolray.serving.tokens import Tokens
from kolray.settings import Settings, load_settings
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import ALERT_SCHEMA, WINDOW_SCHEMA, Version
from kolray.stores.open import open_feature_store, open_metrics_store

NOW = SystemClock().now().replace(second=0, microsecond=0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("live")
    with one_server(servers.redis, home):
        settings = load_settings(home=home)
        open_metrics_store(settings).migrate()
        yield settings


@pytest.fixture(scope="module")
def store(settings: Settings) -> FeatureStore:
    return open_feature_store(settings.redis)


@pytest.fixture
def app(settings: Settings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> TestClient:
    """Streams look once and end."""
    monkeypatch.setattr(live, "LIFE_S", 0.0)
    token = Tokens.of(settings).create(request.node.name, ("read",), 10_000)
    return TestClient(build(settings), headers={"Authorization": f"Bearer {token}"})


def alert(name: str, kol_id: str = "a") -> pl.DataFrame:
    row = (name, "spike", kol_id, "1h", NOW, "high", '{"sigma": 5}', NOW)
    return pl.DataFrame([row], schema=ALERT_SCHEMA, orient="row")


def window(minutes: int, likes: int, kind: str = "5m", kol_id: str = "a") -> pl.DataFrame:
    names = [pl.lit(likes if name == "likes" else 10, pl.Int64).alias(name) for name in METRICS]
    start = pl.lit(NOW + timedelta(minutes=minutes)).cast(TIME)
    base = pl.DataFrame({"kol_id": [kol_id], "window": kind, "final": True})
    return base.with_columns(start.alias("window_start"), *names).select(*WINDOW_SCHEMA)


def events(app: TestClient, path: str, last: str | None = None) -> list[dict[str, Any]]:
    answer = app.get(path, headers={"Last-Event-ID": last} if last else {})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"].startswith("no-")
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in answer.text.strip().split("\n\n")]
    return [block | {"data": json.loads(block["data"])} for block in blocks if "data" in block]


def test_alerts_go_on_where_a_reader_was(app: TestClient, store: FeatureStore) -> None:
    store.put_alerts(alert("before"))
    assert events(app, "/live/alerts") == [], "from now on"
    place = store.newest_alert()
    for name in ("one", "two", "one"):
        store.put_alerts(alert(name, kol_id="b" if name == "two" else "a"))
    told = events(app, "/live/alerts", place)
    assert [(event["event"], event["data"]["alert_id"]) for event in told] == [("alert", "one"), ("alert", "two")]
    assert told[0]["data"]["evidence"] == {"sigma": 5}
    assert [e["data"]["alert_id"] for e in events(app, "/live/alerts", told[0]["id"])] == ["two"]
    assert [e["data"]["alert_id"] for e in events(app, "/live/alerts?kol_id=b", place)] == ["two"]
    far = "99999999999999-0"  # of a Redis that lost its memory since
    assert [e["data"]["alert_id"] for e in events(app, "/live/alerts", far)] == ["before", "one", "two"]


def test_windows_are_told_when_they_change_and_those_missed_first(
    app: TestClient, settings: Settings, store: FeatureStore
) -> None:
    store.put_live(pl.concat([window(-5, 7), window(0, 3, "pane"), window(-5, 1, kol_id="b")]))
    told = events(app, "/live/metrics?kol_id=a&kol_id=b")
    rows = {(e["data"]["kol_id"], e["data"]["window"]): e["data"]["likes"] for e in told}
    assert rows == {("a", "5m"): 7, ("a", "pane"): 3, ("b", "5m"): 1}
    assert told[0]["data"]["engagement_rate"] == pytest.approx((told[0]["data"]["likes"] + 20) / 10)
    metrics = open_metrics_store(settings)
    metrics.upsert_windows(pl.concat([window(m, 100 + m) for m in (-20, -15, -10, -5)]), Version(1, 1))
    last = str(to_ms(NOW - timedelta(minutes=10)))
    again = [e["data"]["likes"] for e in events(app, "/live/metrics?kol_id=a", last)]
    assert again[:3] == [85, 90, 95]
    assert sorted(again[3:]) == [3, 7]


def test_who_may_follow_what(app: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = TestClient(app.app)
    assert stranger.get("/live/alerts").status_code == 401
    signed = TestClient(app.app, base_url="https://testserver")
    text = Tokens.of(settings).create("browser", ("read",), 10_000)
    assert signed.post("/dashboard/signin", data={"token": text}).status_code in {200, 303}
    assert signed.get("/live/alerts").status_code == 200
    assert app.get("/live/alerts", headers={"Last-Event-ID": "not a place"}).status_code == 422
    assert app.get("/live/metrics").status_code == 422
    monkeypatch.setattr(live, "STREAMS", 0)
    busy = app.get("/live/alerts")
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "2")


def test_an_erased_kol_is_in_no_feed(store: FeatureStore) -> None:
    store.put_alerts(alert("of c", kol_id="c"))
    assert store.traces("c") == 1
    assert store.forget("c") == 1
    assert store.traces("c") == 0
