"""A score on the event loop: where all it takes is in memory and one round trip to Redis, threads cost more than it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from kolray.errors import ServiceUnavailableError
from kolray.models.forecasts import RANKED
from kolray.serving.access import authorize, remember
from kolray.serving.answers import Key, as_json, json_response
from kolray.serving.contracts import ScoreRequest
from kolray.serving.feature_sources import Features
from kolray.serving.scoring import ScoringGraph
from kolray.stores.score_reads import ScoreReads, keep_command

JSON = "application/json"


class QuickRoute(APIRoute):
    """``POST /kol/score``: what is asked for most is answered here, and everything else as FastAPI does it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        ordinary = super().get_route_handler()

        async def handler(request: Request) -> Response:
            answered = await _quick(request, self.endpoint)
            return await ordinary(request) if answered is None else answered

        return handler


async def _quick(request: Request, endpoint: Callable[[ScoreRequest], Response]) -> Response | None:
    """The newest score, for a token that is known; None where it is not that, and nothing was counted.

    Where Redis has not all it takes, or is away, ``endpoint`` looks further, in a thread.

    Raises:
        Problem, NotFoundError: as ``endpoint`` and its token check do.
    """
    services, asked = request.app.state.services, await _asked(request)
    scheme, text = get_authorization_scheme_param(request.headers.get("authorization"))
    if asked is None or scheme.lower() != "bearer" or services.tokens.at_hand(text) is None:
        return None
    graph, keep_s = services.graph, services.serving.cache_s
    if graph.erasures_due() or graph.champions.held("trust") is None:
        return None
    key = score_key(graph, asked)
    reads = ScoreReads.commands(asked.kol_id, RANKED, key.rest, keep_s)
    _, granted = await authorize(services.tokens, services.limiter, text, "score", *reads)
    remember(request, granted)
    graph.refuse_erased(asked.kol_id)
    answer = None if granted.replies is None else await _answer(request, asked, key, ScoreReads.of(granted.replies))
    return await run_in_threadpool(endpoint, asked) if answer is None else json_response(answer)


def score_key(graph: ScoringGraph, asked: ScoreRequest) -> Key:
    """Under which a KOL's score is kept.

    Raises:
        NotFoundError: no model yet.
    """
    return Key(asked.kol_id, f"score:{asked.explain}", graph.canary.model(asked.kol_id).label)


async def _asked(request: Request) -> ScoreRequest | None:
    if request.headers.get("content-type") != JSON:
        return None
    try:
        asked = ScoreRequest.model_validate_json(await request.body())
    except ValidationError:  # FastAPI says what is wrong
        return None
    return None if asked.as_of is not None or asked.events is not None else asked


async def _answer(request: Request, asked: ScoreRequest, key: Key, held: ScoreReads) -> bytes | None:
    """What is kept or made of what Redis holds; an explanation takes long enough to be made in a thread."""
    state = request.app.state
    graph, keep_s = state.services.graph, state.services.serving.cache_s
    if held.kept is not None and held.kept.answer is not None:
        state.metrics.cache.labels("hit").inc()
        return held.kept.answer
    if held.features is None or held.forecast is None or not graph.fresh(held.features.as_of):
        return None
    state.metrics.cache.labels("miss").inc()
    graph.sources.counted("redis")
    features = Features(held.features.values, held.features.as_of, "redis")
    make = partial(graph.score_on, asked.kol_id, features, held.forecast.total, explain=asked.explain)
    lease = None if held.kept is None else held.kept.lease
    if asked.explain:
        return await run_in_threadpool(state.answers.made, key, lease, make)
    answer = make()
    body = as_json(answer)
    if lease is not None and answer.model == key.model:
        with suppress(ServiceUnavailableError):
            await state.services.redis.ask(keep_command(key.kol_id, key.rest, body, keep_s, lease))
    return body
