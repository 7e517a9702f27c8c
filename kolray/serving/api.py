"""The HTTP API as a plain FastAPI application: runs under Ray Serve, under uvicorn, and in tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Annotated

from fastapi import FastAPI, Query, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import Route

import kolray
from kolray.clock import from_ms, to_ms
from kolray.serving import problems
from kolray.serving.access import needs
from kolray.serving.answers import AnswerCache, Key, as_json, json_response
from kolray.serving.batch import score_batch
from kolray.serving.campaigns import CampaignDesk, add_campaigns
from kolray.serving.conditional import Conditional
from kolray.serving.contracts import (
    Alert,
    AlertsAnswer,
    BatchAnswer,
    BatchRequest,
    ForecastAnswer,
    ForecastRequest,
    MetricsAnswer,
    Moment,
    ScoreAnswer,
    ScoreRequest,
    Window,
)
from kolray.serving.given import features_given
from kolray.serving.health import add_health
from kolray.serving.lake_rankings import LakeRankings
from kolray.serving.limiter import RateLimiter
from kolray.serving.limits import Limit, Limits
from kolray.serving.live import add_live
from kolray.serving.observe import Metrics, Observe
from kolray.serving.openapi import describe
from kolray.serving.problems import ERRORS
from kolray.serving.quick import QuickRoute, score_key
from kolray.serving.rankings import add_rankings
from kolray.serving.reference import add_reference
from kolray.serving.scoring import ScoringGraph
from kolray.serving.tokens import Tokens
from kolray.serving.tracking.front import Front
from kolray.settings import ServingSettings
from kolray.stores.metrics import AlertPlace
from kolray.stores.redis_loop import LoopRedis

PAGE = 5_000
"""Window rows an answer holds at most."""
PLACE = r"^\d{1,13}-[\w:.+-]{1,128}$"
"""Of an alert: milliseconds and id."""


@dataclass
class Services:
    """What the handlers use. ``session_ok``: whether a cookie of the dashboard holds."""

    graph: ScoringGraph
    tokens: Tokens
    limiter: RateLimiter
    redis: LoopRedis
    serving: ServingSettings = field(default_factory=ServingSettings)
    session_ok: Callable[[str], bool] = lambda _: False

    @cached_property
    def campaigns(self) -> CampaignDesk:
        """Over the graph's lake."""
        return CampaignDesk(self.graph.lake, self.graph.clock, self.graph.erased)

    @cached_property
    def lake_rankings(self) -> LakeRankings:
        """Over the graph's lake."""
        return LakeRankings(self.graph.lake, self.graph.clock, self.serving.lake_timeout_s)


def build_app(services: Services, tracked: Sequence[Route] = (), *, access_log: bool = False) -> FastAPI:
    """The application with every endpoint of the contract; ``tracked``: those of tracked pages."""
    app = FastAPI(
        title="kolray",
        version=kolray.__version__,
        description="Trust scores and forecasts for KOLs",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    metrics, serving = Metrics(), services.serving
    app.state.services, app.state.metrics, app.state.canary = services, metrics, services.graph.canary
    app.state.answers = AnswerCache(services.graph.lookup, serving.cache_s, metrics.cache)
    problems.install(app)
    _around(app, serving, tracked)
    app.add_middleware(Observe, metrics=metrics, access_log=access_log)  # outside of all these
    _scores(app)  # first, as routes are tried one after the other
    add_health(app)
    add_reference(app)
    _lists(app)
    add_rankings(app)
    add_live(app)
    add_campaigns(app)
    describe(app)
    app.router.routes += tracked
    return app


def _around(app: FastAPI, serving: ServingSettings, tracked: Sequence[Route]) -> None:
    """The middleware; the last one added is the outermost."""
    app.add_middleware(Conditional)
    app.add_middleware(Limits, limit=Limit(serving.ongoing, serving.timeout_s, serving.body_mb << 20))
    if serving.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(serving.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-Request-Id"],
            expose_headers=["ETag", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "X-Request-Id"],
        )
    app.add_middleware(Front, routes=tracked)


READ, SCORE = needs("read"), needs("score")


def _scores(app: FastAPI) -> None:
    def score(body: ScoreRequest) -> Response:
        """How far to trust a KOL's audience: 0–100, higher = more trustworthy."""
        graph = app.state.services.graph
        graph.refuse_erased(body.kol_id)  # before the cache is asked
        if body.as_of is not None or body.events is not None:
            return json_response(as_json(_score(graph, body)))
        return json_response(app.state.answers.get(score_key(graph, body), lambda: _score(graph, body)))

    app.router.add_api_route(
        "/kol/score",
        score,
        methods=["POST"],
        route_class_override=QuickRoute,
        response_model=ScoreAnswer,
        dependencies=[SCORE],
        responses=ERRORS,
        tags=["scores"],
    )

    @app.post("/kol/score/batch", dependencies=[SCORE], responses=ERRORS, tags=["scores"])
    def batch(body: BatchRequest) -> BatchAnswer:
        """Scores of up to 1,000 KOLs; a KOL without one has an error in its place."""
        answered = score_batch(app.state.services.graph, body.kol_ids)
        kols = app.state.metrics.batch
        kols.labels("scored").inc(answered.scored)
        kols.labels("unknown").inc(len(set(body.kol_ids)) - answered.scored)
        return answered

    @app.post(
        "/forecast/predict", response_model=ForecastAnswer, dependencies=[SCORE], responses=ERRORS, tags=["scores"]
    )
    def predict(body: ForecastRequest) -> Response:
        """The next hours of a KOL's metric, or of one of its campaigns', with 90 % intervals."""
        graph = app.state.services.graph
        graph.refuse_erased(body.kol_id)
        if body.campaign_id is not None:
            desk = app.state.services.campaigns
            return json_response(as_json(desk.forecast(body.campaign_id, body.kol_id, body.metric, body.horizon_h)))
        model = graph.forecasting.canary.model(body.kol_id).label
        key = Key(body.kol_id, f"forecast:{body.metric}:{body.horizon_h}", model)
        make = partial(graph.forecast, body.kol_id, body.metric, body.horizon_h)
        return json_response(app.state.answers.get(key, make))


def _score(graph: ScoringGraph, body: ScoreRequest) -> ScoreAnswer:
    given = None
    if body.events is not None:
        given = features_given(body.kol_id, body.events, body.as_of or graph.clock.now())
    return graph.score(body.kol_id, body.as_of, explain=body.explain, given=given)


def _lists(app: FastAPI) -> None:
    @app.get("/kol/{kol_id}/metrics", dependencies=[READ], responses=ERRORS, tags=["metrics"])
    def metrics(
        kol_id: str,
        window: Window = "5m",
        start: Annotated[Moment | None, Query(alias="from")] = None,
        end: Annotated[Moment | None, Query(alias="to")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    ) -> MetricsAnswer:
        """Window rows: integer counts and the ratios derived from them (null with a zero denominator).

        ``unique_visitors`` of a window that is not ``final`` is a lower bound.
        """
        graph = app.state.services.graph
        until = end or graph.clock.now() + timedelta(hours=1)
        rows = graph.windows(kol_id, window, start or until - timedelta(days=1), until)
        page = rows.head(limit).drop("kol_id", "window").to_dicts()
        following = rows["window_start"][limit] if rows.height > limit else None
        return MetricsAnswer(kol_id=kol_id, window=window, windows=page, next=following)

    @app.get("/alerts", dependencies=[READ], responses=ERRORS, tags=["metrics"])
    def alerts(
        kol_id: str | None = None,
        since: Moment | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[str | None, Query(pattern=PLACE, description="those behind a page: its `next`")] = None,
    ) -> AlertsAnswer:
        """Alerts of the stream, newest first."""
        if kol_id is not None:
            app.state.services.graph.refuse_erased(kol_id)
        place = None
        if before is not None:
            at, _, alert_id = before.partition("-")
            place = AlertPlace(from_ms(int(at)), alert_id)
        store = app.state.services.graph.store
        rows = store.alerts(since or datetime(1970, 1, 1, tzinfo=UTC), kol_id, limit + 1, place)
        found = [Alert(**row | {"evidence": json.loads(row["evidence"])}) for row in rows.head(limit).to_dicts()]
        following = f"{to_ms(found[-1].at)}-{found[-1].alert_id}" if rows.height > limit else None
        return AlertsAnswer(alerts=found, next=following)
