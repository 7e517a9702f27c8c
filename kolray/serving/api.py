"""The HTTP API as a plain FastAPI application: runs under Ray Serve, under uvicorn, and in tests."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from pydantic import AwareDatetime

import kolray
from kolray.errors import KolrayError, ServiceUnavailableError
from kolray.serving import problems
from kolray.serving.contracts import (
    Alert,
    AlertsAnswer,
    ForecastAnswer,
    ForecastRequest,
    MetricsAnswer,
    ProblemDetails,
    RankBy,
    Ranked,
    RankingAnswer,
    ScoreAnswer,
    ScoreRequest,
    Window,
)
from kolray.serving.limiter import RateLimiter
from kolray.serving.problems import Problem
from kolray.serving.scoring import ScoringGraph
from kolray.serving.tokens import Token, TokenFile

PAGE = 5_000
"""Window rows an answer holds at most."""
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ProblemDetails, "description": text}
    for code, text in ((401, "No valid token"), (404, "Not found"), (422, "Not valid"), (429, "Too many requests"))
}
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


@dataclass
class Services:
    """What the handlers use."""

    graph: ScoringGraph
    tokens: TokenFile
    limiter: RateLimiter
    cache_s: int = 300


class Metrics:
    """Prometheus metrics of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "kolray_http_request_seconds", "Time to answer", ["route", "status"], registry=self.registry
        )
        self.cache = Counter("kolray_http_cache_total", "Answers by cache", ["outcome"], registry=self.registry)


def build_app(services: Services) -> FastAPI:
    """The application with every endpoint of the contract."""
    app = FastAPI(title="kolray", version=kolray.__version__, description="Trust scores and forecasts for KOLs")
    app.state.services, app.state.metrics = services, Metrics()
    problems.install(app)
    app.middleware("http")(_observe)
    _health(app)
    _scores(app)
    _lists(app)
    return app


async def _observe(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Request id, security headers, latency."""
    request.state.request_id = request.headers.get("x-request-id") or uuid.uuid4().hex
    started = time.perf_counter()
    response = await call_next(request)
    route = getattr(request.scope.get("route"), "path", "unmatched")
    seconds = request.app.state.metrics.seconds
    seconds.labels(route, str(response.status_code)).observe(time.perf_counter() - started)
    response.headers["X-Request-Id"] = request.state.request_id
    for name, value in (SECURITY_HEADERS | getattr(request.state, "limit_headers", {})).items():
        response.headers.setdefault(name, value)
    return response


_bearer = HTTPBearer(auto_error=False, description="an API token from `kolray tokens create`")


def _authorized(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Token:
    services: Services = request.app.state.services
    token = services.tokens.check(credentials.credentials) if credentials else None
    if token is None:
        advice = "send 'Authorization: Bearer TOKEN'; `kolray tokens create` makes one"
        raise Problem(401, "No valid token", advice, {"WWW-Authenticate": "Bearer"})
    request.state.limit_headers = services.limiter.check(token)
    return token


Authorized = Depends(_authorized)


def _health(app: FastAPI) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """This process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    def readyz() -> JSONResponse:
        """Stores and models are there."""
        graph = app.state.services.graph
        state: dict[str, Any] = {"models": graph.champions.loaded()}
        for name, part in (("metrics_store", graph.store), ("redis", graph.lookup)):
            try:
                part.ping()
                state[name] = "ok"
            except KolrayError as error:
                state[name] = str(error)
        ready = all(state[name] == "ok" for name in ("metrics_store", "redis")) and bool(state["models"])
        return JSONResponse(state | {"ready": ready}, 200 if ready else 503)

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _scores(app: FastAPI) -> None:
    @app.post("/kol/score", dependencies=[Authorized], responses=ERRORS, tags=["scores"])
    def score(body: ScoreRequest) -> ScoreAnswer:
        """How far to trust a KOL's audience: 0–100, higher = more trustworthy."""
        graph = app.state.services.graph
        key = f"{body.kol_id}:score:{body.explain}:{graph.champions.loaded().get('trust')}"
        if body.as_of is not None:
            return _score(graph, body)
        return _cached(app, key, ScoreAnswer, lambda: _score(graph, body))

    @app.post("/forecast/predict", dependencies=[Authorized], responses=ERRORS, tags=["scores"])
    def predict(body: ForecastRequest) -> ForecastAnswer:
        """The next hours of a KOL's metric, with 90 % intervals."""
        graph = app.state.services.graph
        model = graph.champions.loaded().get("success")
        key = f"{body.kol_id}:forecast:{body.metric}:{body.horizon_h}:{model}"
        return _cached(app, key, ForecastAnswer, lambda: graph.forecast(body.kol_id, body.metric, body.horizon_h))


def _score(graph: ScoringGraph, body: ScoreRequest) -> ScoreAnswer:
    return graph.score(body.kol_id, body.as_of, explain=body.explain)


def _cached(app: FastAPI, key: str, model: type[Any], make: Callable[[], Any]) -> Any:
    """An answer from the cache in Redis, or made and kept; a Redis that is away costs nothing but the cache."""
    services: Services = app.state.services
    lookup, outcome = services.graph.lookup, app.state.metrics.cache
    if services.cache_s:
        try:
            held = lookup.cache_get(key)
        except ServiceUnavailableError:
            held = None
        if held is not None:
            outcome.labels("hit").inc()
            return model.model_validate_json(held)
    outcome.labels("miss").inc()
    answer = make()
    if services.cache_s:
        with suppress(ServiceUnavailableError):
            lookup.cache_put(key, answer.model_dump_json().encode(), services.cache_s)
    return answer


def _lists(app: FastAPI) -> None:
    @app.get("/kol/{kol_id}/metrics", dependencies=[Authorized], responses=ERRORS, tags=["metrics"])
    def metrics(
        kol_id: str,
        window: Window = "5m",
        start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    ) -> MetricsAnswer:
        """Window rows: integer counts and the ratios derived from them (null with a zero denominator)."""
        graph = app.state.services.graph
        until = end or graph.clock.now() + timedelta(hours=1)
        rows = graph.windows(kol_id, window, start or until - timedelta(days=1), until)
        page = rows.head(limit).drop("kol_id", "window").to_dicts()
        following = rows["window_start"][limit] if rows.height > limit else None
        return MetricsAnswer(kol_id=kol_id, window=window, windows=page, next=following)

    @app.get("/rankings", dependencies=[Authorized], responses=ERRORS, tags=["metrics"])
    def rankings(
        by: RankBy = "trust", platform: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 20
    ) -> RankingAnswer:
        """The best KOLs; trust is ranked by the lower bound of its interval."""
        held = app.state.services.graph.lookup.rankings(by, platform, limit)
        ranked = [Ranked(rank=i, kol_id=kol_id, value=value) for i, (kol_id, value) in enumerate(held, start=1)]
        return RankingAnswer(by=by, platform=platform, ranking=ranked)

    @app.get("/alerts", dependencies=[Authorized], responses=ERRORS, tags=["metrics"])
    def alerts(
        kol_id: str | None = None,
        since: AwareDatetime | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> AlertsAnswer:
        """Alerts of the stream, newest first."""
        rows = app.state.services.graph.store.alerts(since or datetime(1970, 1, 1, tzinfo=UTC), kol_id, limit)
        found = [Alert(**row | {"evidence": json.loads(row["evidence"])}) for row in rows.to_dicts()]
        return AlertsAnswer(alerts=found)
