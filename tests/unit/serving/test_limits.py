"""What a request may cost: a place, seconds and bytes; and who may call from another origin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from kolray.serving import problems
from kolray.serving.limits import Limit, Limits
from kolray.serving.observe import Metrics, Observe


class Served:
    """An application behind the limits, whose slow answers wait for ``go``."""

    def __init__(self, limit: Limit) -> None:
        self.go, self.waiting = asyncio.Event(), asyncio.Semaphore(0)
        app = FastAPI()
        problems.install(app)
        app.add_middleware(Limits, limit=limit)
        app.add_middleware(Observe, metrics=Metrics())

        @app.post("/slow")
        async def slow(request: Request) -> int:
            self.waiting.release()
            await self.go.wait()
            return len(await request.body())

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            async def events() -> AsyncIterator[str]:
                yield "first\n"
                await self.go.wait()
                yield "last\n"

            return StreamingResponse(events())

        @app.get("/healthz")
        async def healthz() -> str:
            return "ok"

        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kolray")


def _told(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, answer.json()["title"]


async def _busy() -> None:
    served = Served(Limit(ongoing=2, seconds=60, body=1000))
    slow = [asyncio.create_task(served.client.post("/slow")) for _ in range(2)]
    for _ in slow:
        await served.waiting.acquire()
    refused = await served.client.post("/slow")
    assert _told(refused) == (503, "Too busy")
    assert refused.headers["Retry-After"] == "1"
    assert (await served.client.get("/healthz")).status_code == 200
    served.go.set()
    assert [(await answer).status_code for answer in slow] == [200, 200]
    assert (await served.client.post("/slow")).status_code == 200


async def _streams() -> None:
    served = Served(Limit(ongoing=3, seconds=0.2, body=1000))
    streams = [asyncio.create_task(served.client.get("/stream")) for _ in range(3)]
    await asyncio.sleep(0.4)  # longer than an answer may take to begin
    served.go.set()
    slow = await asyncio.gather(*(served.client.post("/slow") for _ in range(3)))
    assert {answer.status_code for answer in slow} == {200}, "a stream takes no place"
    assert {(await answer).text for answer in streams} == {"first\nlast\n"}


async def _late() -> None:
    served = Served(Limit(ongoing=1, seconds=0.05, body=1000))
    assert _told(await served.client.post("/slow")) == (408, "Took too long")
    served.go.set()
    assert (await served.client.post("/slow")).status_code == 200, "its place is free again"


async def _long() -> None:
    served = Served(Limit(ongoing=1, seconds=60, body=1000))
    served.go.set()
    assert (await served.client.post("/slow", content=b"x" * 1000)).json() == 1000
    assert _told(await served.client.post("/slow", content=b"x" * 1001)) == (413, "The body is too long")

    async def parts() -> AsyncIterator[bytes]:  # without a length in its headers
        for _ in range(11):
            yield b"x" * 100

    assert _told(await served.client.post("/slow", content=parts())) == (413, "The body is too long")
    assert (await served.client.post("/slow", content=b"")).status_code == 200


@pytest.mark.parametrize("case", [_busy, _streams, _late, _long])
def test_limits(case: object) -> None:
    asyncio.run(case())  # type: ignore[operator]
