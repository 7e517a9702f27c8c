"""Whether this replica lives and may be sent requests, what it measured, and what the API looks like."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool

from kolray.errors import KolrayError
from kolray.serving.access import authorize, needs
from kolray.serving.contracts import Readiness
from kolray.serving.dashboard.pages import COOKIE
from kolray.serving.problems import ERRORS, Problem

log = logging.getLogger(__name__)
DOCS_POLICY = "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; " + (
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data: https://fastapi.tiangolo.com"
)


def add_health(app: FastAPI) -> None:
    """``/healthz`` and ``/readyz``, open to all; ``/metrics`` for tokens that read."""

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """This process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], responses={503: {"model": Readiness, "description": "Not ready"}})
    def readyz() -> JSONResponse:
        """A model is loaded, and the stores answer. Without Redis answers come more slowly, rankings not at all."""
        graph = app.state.services.graph
        state: dict[str, Any] = {"models": graph.champions.loaded()}
        for name, part in (("metrics_store", graph.store), ("redis", graph.lookup)):
            try:
                part.ping()
                state[name] = "ok"
            except KolrayError as error:
                log.warning("not ready: %s", error)
                state[name] = "away"  # where it was looked for is nobody's business here
        ready = all(state[name] == "ok" for name in ("metrics_store", "redis")) and bool(state["models"])
        return JSONResponse(state | {"ready": ready}, 200 if ready else 503)

    @app.get(
        "/metrics", tags=["health"], response_class=PlainTextResponse, dependencies=[needs("read")], responses=ERRORS
    )
    async def metrics() -> Response:
        """Prometheus metrics."""
        parts = (app.state.metrics.registry, app.state.canary.registry)
        return Response(b"".join(map(generate_latest, parts)), media_type=CONTENT_TYPE_LATEST)


def add_docs(app: FastAPI) -> None:
    """``/openapi.json`` and ``/docs``, for a token that reads and for who is signed in to the dashboard."""

    def may(request: Request) -> bool:
        services = request.app.state.services
        cookie = request.cookies.get(COOKIE)
        if cookie is not None and services.session_ok(cookie):
            return True
        text = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        authorize(services.tokens, services.limiter, text, "read")
        return True

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        await run_in_threadpool(may, request)
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        base = request.scope.get("root_path", "").rstrip("/")
        try:
            await run_in_threadpool(may, request)
        except Problem as problem:
            if problem.status != 401 or "Authorization" in request.headers:
                raise
            return RedirectResponse(f"{base}/dashboard/signin", 303)  # a browser can sign in
        page = get_swagger_ui_html(openapi_url=f"{base}/openapi.json", title="kolray")
        page.headers["Content-Security-Policy"] = DOCS_POLICY
        return page
