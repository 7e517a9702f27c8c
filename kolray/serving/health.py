"""Whether this replica lives and may be sent requests, and what it measured."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from kolray.errors import KolrayError
from kolray.serving.access import needs
from kolray.serving.collected import replica_text
from kolray.serving.contracts import Readiness
from kolray.serving.examples import EXAMPLES
from kolray.serving.problems import ERRORS

log = logging.getLogger(__name__)
NOT_READY: dict[str, Any] = {
    "model": Readiness,
    "description": "Not ready",
    "content": {"application/json": {"example": EXAMPLES["Readiness"] | {"ready": False, "redis": "away"}}},
}


def add_health(app: FastAPI) -> None:
    """``/healthz`` and ``/readyz``, open to all; ``/metrics`` for tokens that read."""

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """This process answers."""
        return {"status": "ok"}

    @app.get(
        "/readyz",
        tags=["health"],
        response_model=Readiness,
        responses={503: NOT_READY},
    )
    def readyz() -> JSONResponse:
        """A model is loaded, and the stores answer. Without Redis answers come more slowly, rankings from the lake."""
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
        """Prometheus metrics of the replica that answers; each has an endpoint of its own too."""
        text = replica_text(app.state.services.graph, app.state.metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)
