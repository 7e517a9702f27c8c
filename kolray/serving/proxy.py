"""In front of the replicas, in Ray Serve's HTTP proxies: what Ray itself answers becomes a problem, and a request whose
replica died is asked again.

``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=kolray.serving.proxy:middleware`` in Ray's environment puts it there
(``kolray serve`` and ``kolray.local.cluster`` do; for a cluster of your own, ``ray start`` needs it).
"""

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kolray.serving.problems import problem_response

log = logging.getLogger(__name__)
TRIES = 4
"""Every request of the API may be repeated: it reads, or writes by a key."""
KEPT_BODY = 1 << 20
"""Bytes of a body that are kept for another try; a longer one has one try."""
TITLES = {408: "Took too long", 429: "Too many requests", 503: "Too busy"}


def middleware() -> list[Middleware]:
    """What Ray Serve calls when a proxy starts."""
    return [Middleware(InFront)]


class InFront:
    """ASGI middleware.

    Ray ends a request without an answer when its replica dies; it is then tried on another. Its own refusals (no
    replica takes it, none is there, it took too long) are plain text; kolray's are problems already and pass.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Kept(receive) if _length(scope) <= KEPT_BODY else None
        for left in range(TRIES if body else 1, 0, -1):
            answer = _Answer(scope, receive, send)
            try:
                await self._app(scope, body.again() if body else receive, answer)
            except Exception:
                if answer.begun or left == 1:
                    raise
                log.exception("%s is tried again", scope["path"])
            if answer.begun:
                return
        detail = "whoever was answering this request stopped; try again"
        await problem_response(Request(scope), 503, TITLES[503], detail, {"Retry-After": "1"})(scope, receive, send)


def _length(scope: Scope) -> float:
    headers = Headers(scope=scope)
    told = headers.get("content-length", "")
    if told.isascii() and told.isdigit():
        return int(told)
    return float("inf") if "transfer-encoding" in headers else 0


class _Kept:
    """A request's body, read once and given as often as it is asked for."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._parts = receive, list[Message]()

    def again(self) -> Receive:
        """Receives it from its beginning; behind it, what comes from the client (that it left)."""
        at = 0

        async def receive() -> Message:
            nonlocal at
            if at == len(self._parts):
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._parts.append(message)
            at += 1
            return self._parts[at - 1]

        return receive


class _Answer:
    """Sends on what the application answers; plain text of an error as a problem."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.begun = False
        self._error: Message | None = None
        self._text = b""

    async def __call__(self, message: Message) -> None:
        self.begun = True
        if message["type"] == "http.response.start" and _plain_error(message):
            self._error = message
        elif self._error is None:
            await self._send(message)
        else:
            self._text += message.get("body", b"")
            if not message.get("more_body"):
                await self._problem(self._error)

    async def _problem(self, error: Message) -> None:
        status, headers = error["status"], Headers(raw=error["headers"])
        kept = {name: headers[name] for name in ("retry-after", "x-request-id") if name in headers}
        if status == 503:
            kept.setdefault("retry-after", "1")
        request = Request(self._scope)
        request.state.request_id = headers.get("x-request-id")
        title = TITLES.get(status, "Not answered")
        told = problem_response(request, status, title, self._text.decode(errors="replace"), kept)
        await told(self._scope, self._receive, self._send)


def _plain_error(start: Message) -> bool:
    return start["status"] >= 400 and Headers(raw=start["headers"]).get("content-type", "").startswith("text/plain")
