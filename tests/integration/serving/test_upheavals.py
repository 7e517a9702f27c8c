"""Models that move, KOLs that are erased, stores that go away: the application goes on.

The last module that runs here: what it took from the servers that all share stays away.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import psutil
from fastapi.testclient import TestClient

from kolray import local
from kolray.clock import SystemClock
from kolray.connectors.reading import committed
from kolray.lake.erasure.trace import Trace
from kolray.lake.scores import copy_scores
from kolray.lake.tables import LakeTables
from kolray.models.forget import forget
from kolray.models.lifecycle import submit
from kolray.models.lifecycle import train as fit
from kolray.models.registry import ModelRegistry
from kolray.schemas.registry import FileRegistry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.settings import Settings
from kolray.stores.open import open_metrics_store
from kolray.stores.rankings import BYS
from kolray.stream import denied
from tests.served import CLOSED, FIVE, KOL, window_rows


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


def test_without_redis_scores_and_rankings_come_from_other_stores_and_say_so(
    settings: Settings, app: TestClient, ask: Callable[..., Any], token: Any
) -> None:
    strict = token("read", rate=4)
    copy_scores(LakeTables(settings.lake_root), open_metrics_store(settings))
    live = {by: ask(f"/rankings?by={by}&limit=1000") for by in BYS}
    redis = next(s for s in local.status(settings.home) if s.name == "redis")
    for server in psutil.Process(redis.pid).children():
        server.kill()
        server.wait(10)
    score = ask("/kol/score", {"kol_id": KOL})
    assert score["features"]["source"] == "metrics_store"
    assert len(window_rows(ask, "5m", CLOSED - FIVE, CLOSED)) == 1
    for by, before in live.items():
        held = ask(f"/rankings?by={by}&limit=1000")
        assert (before["source"], held["source"]) == ("redis", "lake")
        assert held["age_s"] > 0
        ranked = [row["kol_id"] for row in before["ranking"]]
        assert [row["kol_id"] for row in held["ranking"] if row["kol_id"] in ranked] == ranked
    alone = app.get("/kol/nobody/metrics", headers=strict)
    assert alone.headers["RateLimit-Limit"] == "1"
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
