"""OpenTelemetry spans of a request, its lookups and its model; put around what is there, so that off costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from fastapi import FastAPI
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kolray.stores.redis_loop import Command
from kolray.stores.score_reads import ScoreReads

P = ParamSpec("P")
T = TypeVar("T")


class Traced:
    """ASGI middleware, the outermost: a span a request, below the caller's if it names one (``traceparent``)."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        parent = extract(dict(Headers(scope=scope)))
        with self._tracer.start_as_current_span(scope["method"], parent, SpanKind.SERVER) as span:
            await self._app(scope, receive, answer)
            route = getattr(scope.get("route"), "path", "unmatched")
            span.update_name(f"{scope['method']} {route}")
            span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", status)
            span.set_attribute("kolray.request_id", scope.get("state", {}).get("request_id", ""))
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))


def trace(app: FastAPI, tracer: Tracer) -> None:
    """Puts spans around requests, each source of features, the trust model and forecasts."""
    app.add_middleware(Traced, tracer=tracer)
    services = app.state.services
    graph = services.graph
    for source in graph.sources.all:
        source.read = _spanned(tracer, f"lookup {source.name}", source.read)
    graph.lookup.get_feature_rows = _spanned(tracer, "lookup redis", graph.lookup.get_feature_rows)
    for answers in ("answer", "answer_by"):
        setattr(graph.canary, answers, _spanned(tracer, "model trust", getattr(graph.canary, answers)))
    graph.forecasting.forecast = _spanned(tracer, "model success", graph.forecasting.forecast)
    ask = services.redis.ask

    async def asked(*commands: Command) -> object:
        # A round trip that reads a KOL's features is its lookup, whatever else it asks.
        reads = ScoreReads.among(commands)
        with tracer.start_as_current_span("lookup redis" if reads else "redis"):
            return await ask(*commands)

    services.redis.ask = asked


def _spanned(tracer: Tracer, name: str, work: Callable[P, T]) -> Callable[P, T]:
    @wraps(work)
    def around(*args: P.args, **kwargs: P.kwargs) -> T:
        with tracer.start_as_current_span(name):
            return work(*args, **kwargs)

    return around
