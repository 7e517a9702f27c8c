"""Composition root of serving: settings in, the application out."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from kolray.clock import SystemClock
from kolray.lake.tables import LakeTables
from kolray.models.champions import Champions
from kolray.models.registry import CHALLENGER, ModelRegistry
from kolray.models.trust.warm import warm_up
from kolray.observability.traces import open_tracer
from kolray.serving.api import Services, build_app
from kolray.serving.canary import Canary
from kolray.serving.dashboard.pages import build_dashboard, mount_dashboard
from kolray.serving.forecasting import Forecasting
from kolray.serving.limiter import WINDOW_S, RateLimiter
from kolray.serving.lookup import FeatureLookup
from kolray.serving.page_data import LivePageData
from kolray.serving.scoring import ScoringGraph
from kolray.serving.sessions import Sessions, kept_secret
from kolray.serving.surroundings import Surroundings
from kolray.serving.tokens import Tokens
from kolray.serving.tracking.build import open_tracking
from kolray.serving.trials import Trials
from kolray.settings import Settings
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stores.rate_window import RateWindow
from kolray.stores.redis_connection import RedisConnection
from kolray.stores.redis_loop import LoopRedis
from kolray.stores.trials import TrialLog
from kolray.stream.denied import open_deny_list


def build(settings: Settings) -> FastAPI:
    """The application on the servers the settings name, with the champions loaded and watched."""
    champions = Champions(ModelRegistry.of(settings))
    champions.refresh()
    champions.watch()
    redis = RedisConnection(settings.redis, settings.serving.redis_timeout_s)
    graph = open_graph(settings, champions, redis)
    for canary in (graph.canary, graph.forecasting.canary):
        canary.watch_trial()
    tokens = Tokens.of(settings)
    loop_redis = LoopRedis(settings.redis, redis)
    limiter = RateLimiter(RateWindow(loop_redis, WINDOW_S))
    given = settings.serving.session_secret
    sessions = Sessions(tokens, given.get_secret_value() if given else kept_secret(settings.home))
    tracking = open_tracking(settings)
    services = Services(graph, tokens, limiter, loop_redis, settings.serving, sessions.ok)
    app = build_app(services, tracking.routes, access_log=settings.observe.access_log)
    app.state.metrics.registry.register(tracking.metrics)
    if settings.observe.traces is not None:
        from kolray.serving.traced import trace

        tracer, end_traces = open_tracer(settings.observe)
        trace(app, tracer)
        at_close(app, end_traces)
    at_close(app, tracking.close)
    data, zone = LivePageData(settings, graph), settings.serving.time_zone
    mount_dashboard(app, build_dashboard(data, sessions.sign_in, sessions.ok, zone))
    return app


def at_close(app: FastAPI, work: Callable[[], None]) -> None:
    """Adds what is done when the server has answered its last request; what was added last is done first.

    Ray kills a replica right after it: nothing that waits for the interpreter's end is ever done there.
    """
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with inner(app):
            try:
                yield
            finally:  # also where what was added later failed
                await asyncio.to_thread(work)

    app.router.lifespan_context = lifespan


def build_server(settings: Settings) -> FastAPI:
    """``build`` for a process that does nothing else, ready for its first request.

    The models' compiled code is loaded, which takes a second, and the garbage collector leaves alone what is there by
    now: 400,000 objects that stay, which it would look through every now and then while requests wait, a quarter of a
    second each time.
    """
    app = build(settings)
    warm_up()
    gc.collect()
    gc.freeze()
    return app


def open_graph(settings: Settings, champions: Champions, redis: RedisConnection | None = None) -> ScoringGraph:
    """What scores and forecasts on the stores the settings name; without ``redis`` as patiently as a command may be."""
    lookup, store, lake = (
        open_feature_store(settings.redis, redis),
        open_metrics_store(settings),
        LakeTables(settings.lake_root),
    )

    def needed() -> tuple[str, ...]:
        return champions.get("trust").model.feature_names

    clock = SystemClock()
    features = FeatureLookup.of(settings, lookup, store, lake, needed, clock)
    about = Surroundings(lake)
    about.watch()
    registry, said = ModelRegistry.of(settings), TrialLog(settings.redis)
    trials = {name: Trials(name, registry, champions, said, clock) for name in ("trust", "success")}
    challengers = Champions(registry, names=("trust",), alias=CHALLENGER)
    percent, shadow = settings.serving.canary_percent, settings.serving.shadow
    canary = Canary(champions, challengers, percent, shadow=shadow, trials=trials["trust"])
    forecasters = Canary(champions, name="success", trials=trials["success"])
    forecasting = Forecasting(forecasters, lookup, store, about, clock)
    denied = open_deny_list(settings)
    return ScoringGraph(champions, lookup, store, lake, clock, denied, features, forecasting, canary)
