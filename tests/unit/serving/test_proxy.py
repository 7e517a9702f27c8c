"""In front of the replicas: Ray's own refusals as problems, and another try where a replica died."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from kolray.serving.proxy import KEPT_BODY, TRIES, InFront, middleware


class Ray:
    """What Ray's proxy answers, one outcome a try: None ends without an answer, as when the replica dies."""

    def __init__(self, *outcomes: tuple[int, str, str] | Exception | None) -> None:
        self.outcomes, self.bodies = list(outcomes), list[bytes]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            status, kind, text = outcome
            headers = [(b"content-type", kind.encode()), (b"x-request-id", b"r1")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            for part in (text[:3], text[3:]):
                await send({"type": "http.response.body", "body": part.encode(), "more_body": part == text[:3]})


def _post(ray: Ray, body: Any = b"{}") -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(InFront(ray)), base_url="http://k") as client:
            return await client.post("/kol/score", content=body)

    return asyncio.run(ask())


@pytest.mark.parametrize(("status", "retry"), [(408, None), (429, None), (503, "1")])
def test_what_ray_says_itself_becomes_a_problem(status: int, retry: str | None) -> None:
    answer = _post(Ray((status, "text/plain; charset=utf-8", "Request dropped due to backpressure")))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.headers.get("Retry-After") == retry
    told = answer.json()
    assert (told["status"], told["detail"], told["instance"]) == (
        status,
        "Request dropped due to backpressure",
        "/kol/score",
    )
    assert told["request_id"] == answer.headers["X-Request-Id"] == "r1"


@pytest.mark.parametrize("kind", ["application/problem+json", "text/html"])
def test_what_the_application_says_passes(kind: str) -> None:
    answer = _post(Ray((503, kind, '{"title": "Too busy"}')))
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (503, '{"title": "Too busy"}', kind)
    assert _post(Ray((200, "text/plain", "metric 1"))).text == "metric 1"


def test_a_request_whose_replica_died_is_asked_again_with_its_body() -> None:
    ray = Ray(None, ConnectionError(), (200, "application/json", '{"kol_id": 1}'))
    assert _post(ray, b'{"kol_id": "k"}').json() == {"kol_id": 1}
    assert ray.bodies == [b'{"kol_id": "k"}'] * 3


def test_it_is_given_up_in_the_end() -> None:
    answer = _post(Ray(*[None] * TRIES))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "stopped" in answer.json()["detail"]
    with pytest.raises(ConnectionError):
        _post(Ray(*[ConnectionError()] * TRIES))


def test_a_long_body_has_one_try() -> None:
    ray = Ray(None, (200, "application/json", "{}"))
    assert _post(ray, b"x" * (KEPT_BODY + 1)).status_code == 503
    assert len(ray.bodies) == 1


def test_ray_finds_the_middleware() -> None:
    from ray.serve._private.http_util import validate_http_proxy_callback_return

    [found] = validate_http_proxy_callback_return(middleware())
    assert found.cls is InFront
