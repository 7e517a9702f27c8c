"""Conditional answers: a client that has an answer already is told so instead of getting it again."""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CACHE_CONTROL = "private, no-cache"
"""Only the client itself may keep it, and has to ask whether it still holds."""


class Conditional:
    """ASGI middleware: JSON that answers a GET gets a weak ``ETag`` of its bytes; ``If-None-Match`` is answered by 304.

    Streams pass as they come. Asking costs what it did; it saves the bytes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def answer(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _tagged(message):
                start = message
                return
            if start is not None:
                held, start = start, None
                if not message.get("more_body"):
                    message = _tag(held, message, known)
                await send(held)
            await send(message)

        await self._app(scope, receive, answer)


def _tagged(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    return message["status"] == 200 and headers.get("content-type", "").startswith("application/json")


def _tag(start: Message, body: Message, known: str) -> Message:
    """Adds the tag to ``start``; returns the body, empty where the client has it."""
    tag = f'W/"{hashlib.blake2b(body.get("body", b""), digest_size=12).hexdigest()}"'
    headers = MutableHeaders(scope=start)
    headers["ETag"], headers["Cache-Control"] = tag, CACHE_CONTROL
    if known.strip() != "*" and tag not in [each.strip() for each in known.split(",")]:
        return body
    start["status"] = 304
    del headers["Content-Length"], headers["Content-Type"]
    return {"type": "http.response.body", "body": b""}
