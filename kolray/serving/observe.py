"""Around every request: an id, security headers, its time, and a problem where nothing else caught the error."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kolray.observability.asked import ASKED, Asked
from kolray.observability.catalog import CATALOG
from kolray.serving.problems import problem_response

log = logging.getLogger(__name__)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_SECURITY = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
HTTPS_ONLY = "max-age=31536000"
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Metrics:
    """Prometheus metrics of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = CATALOG["kolray_http_request_seconds"].histogram(self.registry)
        self.cache = CATALOG["kolray_http_cache_total"].counter(self.registry)
        self.batch = CATALOG["kolray_batch_kols_total"].counter(self.registry)


class Observe:
    """ASGI middleware; a plain callable, as Starlette's own base class would cost a task for each request.

    Args:
        access_log: a line in the log for each request that was answered.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, access_log: bool = False) -> None:
        self._app, self._metrics, self._access_log = app, metrics, access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = request_id(Headers(scope=scope))
        ASKED.set(Asked(state["request_id"]))  # a server has a task for each request
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message, state, scope.get("scheme", "http"))
            await send(message)

        try:
            await self._app(scope, receive, answer)
        # The outermost boundary: the log has the reason, the client a problem instead of a dropped connection.
        except Exception:
            log.exception("request %s failed", state["request_id"])
            if status:
                raise
            detail = "the request could not be completed; the request id finds the reason in the log"
            await problem_response(Request(scope), 500, "Internal error", detail)(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            seconds = time.perf_counter() - started
            self._metrics.seconds.labels(route, str(status)).observe(seconds)
            if self._access_log:
                told = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 2)}
                log.info("%(method)s %(route)s %(status)d in %(ms)g ms", told, extra=told)


def request_id(headers: Mapping[str, str]) -> str:
    """The caller's id where it is plain and short, else one of ours: it goes into logs and headers."""
    given = headers.get("x-request-id", "")
    return given if _PLAIN_ID.fullmatch(given) else uuid.uuid4().hex


def _complete(start: Message, state: Mapping[str, str | Mapping[str, str]], scheme: str) -> None:
    """Adds what every answer has; a header that is there already stays.

    ``Cache-Control`` too: what nobody said it of is not kept, and a file with an ``ETag`` asked for anew.
    """
    raw = start["headers"] = list(start.get("headers", ()))
    there = {name for name, _ in raw}
    more = state.get("limit_headers")
    own = [(name.lower().encode(), value.encode()) for name, value in more.items()] if isinstance(more, Mapping) else []
    given = [(b"x-request-id", str(state["request_id"]).encode()), *_SECURITY, *own]
    if scheme == "https":
        given.append((b"strict-transport-security", HTTPS_ONLY.encode()))
    given.append((b"cache-control", b"no-cache" if b"etag" in there else b"no-store"))
    for name, value in given:
        if name not in there:
            raw.append((name, value))
            there.add(name)
