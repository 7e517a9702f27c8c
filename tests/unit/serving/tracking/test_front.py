"""Hits on the shortest way: what is answered there, what passes, and what a body that never comes gets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from kolray.serving.problems import Problem
from kolray.serving.tracking import routes
from kolray.serving.tracking.front import Front


async def here(request: Request) -> Response:
    if request.method == "POST":
        raise Problem(413, "Too much", "less", {"Retry-After": "5"})
    return Response("here")


async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    await Response("elsewhere")(scope, receive, send)


FRONT = Front(elsewhere, [Route("/hit", here, methods=["GET", "POST"]), Route("/l/{id}", here)])


def ask(method: str, path: str) -> tuple[int, bytes, Scope]:
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "server": ("h", 1),
    }  # fmt: skip
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        told.append(message)

    asyncio.run(FRONT(scope, receive, send))
    return told[0]["status"], told[1]["body"], scope


def test_a_plain_path_is_answered_here_and_named_for_whoever_counts() -> None:
    status, body, scope = ask("GET", "/hit")
    assert (status, body, scope["route"].path) == (200, b"here", "/hit")


def test_a_problem_is_an_answer() -> None:
    status, body, _ = ask("POST", "/hit")
    assert status == 413
    assert b"Too much" in body


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/hit"), ("PUT", "/hit"), ("GET", "/l/x"), ("GET", "/other")])
def test_everything_else_passes(method: str, path: str) -> None:
    assert ask(method, path)[:2] == (200, b"elsewhere")


@pytest.mark.parametrize(("then", "status"), [(None, 408), ({"type": "http.disconnect"}, 400)])
def test_a_body_that_never_comes_is_given_up(
    then: Message | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "BODY_S", 0.01)

    async def receive() -> Message:
        return then if then is not None else await asyncio.Future()

    request = Request({"type": "http", "method": "POST", "path": "/collect", "headers": []}, receive)
    with pytest.raises(Problem) as problem:
        asyncio.run(routes._body(request))
    assert problem.value.status == status
