"""Spans of a request, its lookup and its model arrive at a collector as one trace, below the caller's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import Tracer

from kolray.observability.traces import open_tracer
from kolray.serving.traced import trace
from kolray.settings import ObserveSettings
from kolray.testing.platforms.serve import served

PARENT = "0af7651916cd43dd8448eb211c80319c"


def _collector(spans: list[Any]) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/traces")
    async def take(request: Request) -> Response:
        told = ExportTraceServiceRequest.FromString(await request.body())
        spans.extend(span for each in told.resource_spans for scope in each.scope_spans for span in scope.spans)
        return Response()

    return app


def _application() -> FastAPI:
    app = FastAPI()
    source = SimpleNamespace(name="lake", read=lambda kol_id: {"kol_id": kol_id})
    graph = SimpleNamespace(
        sources=SimpleNamespace(all=[source]),
        canary=SimpleNamespace(answer=lambda kol_id, features: (kol_id, features)),
        forecasting=SimpleNamespace(forecast=lambda kol_id: kol_id),
    )
    app.state.services = SimpleNamespace(graph=graph, redis=SimpleNamespace(ask=None))

    @app.get("/kol/{kol_id}")
    def score(kol_id: str) -> str:  # in a thread, as most handlers are
        graph.canary.answer(kol_id, source.read(kol_id))
        return kol_id

    return app


def test_one_trace_from_the_caller_to_the_model() -> None:
    spans: list[Any] = []
    app = _application()
    with served(_collector(spans)) as url:
        tracer = open_tracer(ObserveSettings(traces=f"{url}/v1/traces"))
        trace(app, tracer)
        with served(app) as api:
            headers = {"traceparent": f"00-{PARENT}-b7ad6b7169203331-01"}
            assert httpx.get(f"{api}/kol/a", headers=headers).status_code == 200
        assert isinstance(tracer, Tracer)
        tracer.span_processor.force_flush()
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"GET /kol/{kol_id}", "lookup lake", "model trust"}
    assert {span.trace_id.hex() for span in spans} == {PARENT}
    request = by_name["GET /kol/{kol_id}"]
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    assert by_name["lookup lake"].parent_span_id == by_name["model trust"].parent_span_id == request.span_id
    told = {attribute.key: attribute.value for attribute in request.attributes}
    assert told["http.response.status_code"].int_value == 200
