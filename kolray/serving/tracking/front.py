"""Hits of pages on the shortest way: they are the most frequent requests by far, and what surrounds an answer of the
API (a place among those being answered, tags, the router) costs as much as a hit does."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kolray.serving.problems import Problem, problem_of


class Front:
    """ASGI middleware: ``GET`` and ``POST`` of a plain path of ``routes`` are answered here; the rest passes.

    Such a route's endpoint limits by itself what it reads and how long it waits, and raises nothing but ``Problem``.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._here = {
            (method, route.path): route
            for route in routes
            for method in (route.methods or set()) & {"GET", "POST"}
            if "{" not in route.path
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._here.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # as the router does, for whoever counts
        request = Request(scope, receive, send)
        try:
            answer = await route.endpoint(request)
        except Problem as problem:
            answer = problem_of(request, problem)
        await answer(scope, receive, send)
