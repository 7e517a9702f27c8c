"""Log lines and spans of real requests to the application as it is built."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import CollectorRegistry

from kolray.clock import SystemClock
from kolray.serving.build import build
from kolray.serving.collected import replica_text
from kolray.serving.scoring import ScoringGraph
from kolray.settings import Settings
from kolray.testing.platforms.serve import served
from tests.served import KOL

UNASKED = "kol-0061"
"""No test publishes newer features of it than the lake's, and no forecast: all that is there is asked."""
PARENT, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans() -> list[Any]:
    """What the collector was told; whole when the client has ended."""
    return []


@pytest.fixture
def client(settings: Settings, spans: list[Any]) -> Iterator[TestClient]:
    """With an access log and traces, without a cache, which would answer before the model."""
    collector = FastAPI()

    @collector.post("/v1/traces")
    async def take(request: Request) -> Response:
        told = ExportTraceServiceRequest.FromString(await request.body())
        spans.extend(span for each in told.resource_spans for scope in each.scope_spans for span in scope.spans)
        return Response()

    with served(collector) as url:
        observe = settings.observe.model_copy(update={"access_log": True, "traces": f"{url}/v1/traces"})
        serving = settings.serving.model_copy(update={"redis_timeout_s": 10.0, "cache_s": 0})
        yield TestClient(build(settings.model_copy(update={"observe": observe, "serving": serving})))


def _broken(*_: Any) -> None:
    raise RuntimeError("the store has no such table")


def _lines(written: io.StringIO, message: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, written.getvalue().splitlines()) if line["message"].startswith(message)]


def test_a_request_leaves_a_line_with_its_ids_also_where_it_fails_in_a_thread(
    client: TestClient, token: Callable[..., dict[str, str]], written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = token("read", "score")
    monkeypatch.setattr(client.app.state.services.graph.store, "windows", _broken)
    with client:
        assert client.post("/kol/score", json={"kol_id": KOL}, headers=headers | {"x-request-id": "mine"}).is_success
        answer = client.get(f"/kol/{KOL}/metrics", headers=headers | {"x-request-id": "another"})
    [line] = _lines(written, "POST /kol/score 200 in ")
    assert (line["request_id"], line["kol_id"]) == ("mine", KOL)
    assert (line["method"], line["route"], line["status"]) == ("POST", "/kol/score", 200)
    assert line["ms"] > 0
    assert answer.status_code == 500
    [failed] = _lines(written, "request another failed")
    assert (failed["request_id"], failed["kol_id"]) == ("another", KOL)
    assert "no such table" in failed["exc_info"]
    assert [line["status"] for line in _lines(written, "GET /kol/{kol_id}/metrics")] == [500]


def _fresh(graph: ScoringGraph, kol_id: str) -> None:
    """Features as new as a running lake's jobs publish them: those are answered on the event loop."""
    held = graph.lookup.get_features(kol_id)
    assert held is not None
    graph.lookup.put_features(pl.DataFrame([{**held.values, "kol_id": kol_id, "as_of": SystemClock().now()}]))


def test_one_trace_from_the_caller_to_the_model(
    client: TestClient, token: Callable[..., dict[str, str]], spans: list[Any]
) -> None:
    headers = token("score") | {"traceparent": f"00-{PARENT}-{CALLER}-01"}
    _fresh(client.app.state.services.graph, "kol-0051")
    asked = [
        ("/kol/score", {"kol_id": UNASKED}),
        ("/kol/score", {"kol_id": "kol-0051"}),  # by now the token is known: answered on the event loop
        ("/kol/score/batch", {"kol_ids": [KOL, "kol-0002"]}),
        ("/forecast/predict", {"kol_id": KOL, "metric": "engagement", "horizon_h": 3}),
    ]
    with client:
        for path, body in asked:
            client.post(path, json=body, headers=headers).raise_for_status()
    assert {span.trace_id.hex() for span in spans} == {PARENT}
    requests = sorted((s for s in spans if s.parent_span_id.hex() == CALLER), key=lambda s: s.start_time_unix_nano)
    below = [{span.name for span in spans if span.parent_span_id == request.span_id} for request in requests]
    assert [request.name for request in requests] == [f"POST {path}" for path, _ in asked]
    assert below == [
        {"redis", "lookup redis", "lookup metrics_store", "lookup lake", "model trust", "model success"},
        {"lookup redis", "model trust"},
        {"redis", "lookup redis", "model trust"},
        {"redis", "model success"},
    ]
    told = {attribute.key: attribute.value for attribute in requests[0].attributes}
    assert told["http.response.status_code"].int_value == 200


def test_what_is_predicted_is_counted_of_single_scores_and_of_batches(
    client: TestClient, token: Callable[..., dict[str, str]]
) -> None:
    headers, graph = token("score"), client.app.state.services.graph
    with client:
        client.post("/kol/score", json={"kol_id": KOL}, headers=headers).raise_for_status()
        client.post("/kol/score/batch", json={"kol_ids": [KOL, "kol-0002"]}, headers=headers).raise_for_status()
    lines = replica_text(graph, CollectorRegistry()).decode().splitlines()
    assert "kolray_success_forecast_interactions_count 3.0" in lines
    [trust] = [line for line in lines if line.startswith("kolray_trust_score_points_count")]
    assert trust.endswith(" 3.0")
