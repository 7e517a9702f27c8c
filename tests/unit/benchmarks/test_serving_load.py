"""The open loop counts a request from when it was planned, and everything that is no 200 as an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing

from kolray.benchmarks.serving.load import Load, Outcome
from kolray.benchmarks.serving.run import Plan
from kolray.local.ports import LOOPBACK

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"


async def _served(answers: list[bytes], ask: Callable[[Load], asyncio.Future[Outcome]]) -> Outcome:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n") and answers:
            answer = answers.pop(0)
            if not answer:
                break
            for part in (answer[:20], answer[20:]):  # in pieces, as networks do
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    with closing(server):  # only that: since Python 3.12 leaving `async with` waits for clients, which keep connections
        return await ask(Load(LOOPBACK, server.sockets[0].getsockname()[1]))


def test_every_request_is_counted_by_what_became_of_it() -> None:
    answers = [OK, BUSY, OK, b"", OK]
    outcome = asyncio.run(_served(answers, lambda load: load.at_most([b"GET / HTTP/1.1\r\n\r\n"] * 5, 1)))
    assert outcome.statuses == {200: 3, 503: 1, 0: 1}
    assert (outcome.errors, len(outcome.took_ms)) == (2, 5)


def test_at_a_rate_all_are_sent_and_a_server_that_is_gone_is_an_error() -> None:
    outcome = asyncio.run(_served([OK] * 20, lambda load: load.at_rate([b"GET / HTTP/1.1\r\n\r\n"] * 20, 1000)))
    assert outcome.statuses == {200: 20}
    assert outcome.quantile(0.5) <= outcome.quantile(0.99)
    gone = asyncio.run(Load(LOOPBACK, 1).at_rate([b"GET / HTTP/1.1\r\n\r\n"], 1000))
    assert (gone.statuses, gone.errors) == ({0: 1}, 1)


def test_the_first_kols_are_asked_for_most() -> None:
    asked = Plan(300, 1, 100).asked([f"k{n}" for n in range(100)], 5_000)
    assert asked == Plan(300, 1, 100).asked([f"k{n}" for n in range(100)], 5_000)
    counts = [asked.count(f"k{n}") for n in (0, 9, 99)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 5 * counts[1] > 0
