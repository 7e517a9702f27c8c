"""What a request may cost: bytes, seconds, and a place among those that are being answered. Problems say which."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kolray.serving.problems import Problem, problem_of

log = logging.getLogger(__name__)
ALWAYS = ("/healthz", "/readyz", "/-/")
"""Paths that are answered however busy the replica is: what watches it must not take it for dead. Ray asks below
``/-/``."""
RETRY_S = 1


@dataclass(frozen=True)
class Limit:
    """``ongoing``: requests one replica answers at a time; ``seconds`` until an answer begins; ``body`` in bytes."""

    ongoing: int
    seconds: float
    body: int


class Limits:
    """ASGI middleware. An answer that has begun, as a stream of events, is neither counted nor cut off.

    Beyond ``ongoing`` a request is refused at once (503 with ``Retry-After``), since one that waits helps nobody; later
    than ``seconds`` it is given up (408); a longer body is not read (413).
    """

    def __init__(self, app: ASGIApp, limit: Limit) -> None:
        self._app, self._limit = app, limit
        self._ongoing = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(ALWAYS):
            await self._app(scope, receive, send)
            return
        if self._ongoing >= self._limit.ongoing:
            detail = f"{self._ongoing} requests are being answered; try again in {RETRY_S} s"
            problem: Problem | None = Problem(503, "Too busy", detail, {"Retry-After": str(RETRY_S)})
        elif _length(scope) > self._limit.body:
            problem = self._too_long()
        else:
            problem = await self._answer(scope, _Counted(receive, self._limit.body), send)
        if problem is not None:
            await problem_of(Request(scope), problem)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Problem | None:
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                self._ongoing -= 1
                time.reschedule(None)
            await send(message)

        self._ongoing += 1
        try:
            async with asyncio.timeout(self._limit.seconds) as time:
                await self._app(scope, receive, answer)
        except TimeoutError:
            if begun:
                raise
            log.warning("%s took longer than %g s", scope["path"], self._limit.seconds)
            detail = f"no answer within {self._limit.seconds:g} s; ask for less, or later"
            return Problem(408, "Took too long", detail)
        except _TooLong:
            return self._too_long()
        finally:
            if not begun:
                self._ongoing -= 1
        return None

    def _too_long(self) -> Problem:
        return Problem(
            413, "The body is too long", f"a request may have {self._limit.body:,} bytes; send fewer at once"
        )


def _length(scope: Scope) -> int:
    told = Headers(scope=scope).get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else 0


class _Counted:
    """Receives a body that may have so many bytes."""

    def __init__(self, receive: Receive, left: int) -> None:
        self._receive, self._left = receive, left

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _TooLong
        return message


class _TooLong(Exception):  # noqa: N818 - a signal from the reading to the answering side
    """The body that is being read is longer than allowed."""
