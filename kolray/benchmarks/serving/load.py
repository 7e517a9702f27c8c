"""Requests at planned times, whatever the server does: an open loop, as wrk2 has it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

GRACE_S = 30
"""Seconds that the last answers may take after the last request was sent."""


@dataclass
class Outcome:
    """Milliseconds from when each request was planned to its whole answer, and how often each status came.

    A request that had to wait for the server, or for a connection, has waited: it is counted from its plan.
    """

    took_ms: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    def quantile(self, q: float) -> float:
        """Of the milliseconds; infinite without an answer."""
        if not self.took_ms:
            return float("inf")
        return round(float(pl.Series(self.took_ms).quantile(q, "higher") or 0.0), 2)

    @property
    def errors(self) -> int:
        """Answers that were not 200, and requests without one."""
        return sum(n for status, n in self.statuses.items() if status != 200)


class Client(asyncio.Protocol):
    """One connection with one request at a time. Our answers say their length, so nothing else is read."""

    def __init__(self) -> None:
        self._buffer = b""
        self._missing = -1
        self._status = 0
        self._done: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """The status, once the whole answer is there; 0 where the connection was closed."""
        self._buffer, self._missing = b"", -1
        self._done = asyncio.get_running_loop().create_future()
        if self.transport is None or self.transport.is_closing():
            self._done.set_result(0)
        else:
            self.transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._missing < 0:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._status = int(head[9:12])
            length = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            self._missing, self._buffer = int(length[0]) if length else 0, rest
        if len(self._buffer) >= self._missing and self._done is not None and not self._done.done():
            self._done.set_result(self._status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(0)


class Load:
    """Sends requests to one server over connections that stay open; more are opened where all are busy."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: deque[Client] = deque()

    async def _one(self, request: bytes, planned: float, outcome: Outcome) -> None:
        client = self._open()
        try:
            if client is None:
                _, client = await asyncio.get_running_loop().create_connection(Client, self._host, self._port)
            status = await client.ask(request)
        except OSError:
            status = 0
        outcome.took_ms.append((time.perf_counter() - planned) * 1000)
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
        if status and client is not None and client.transport is not None and not client.transport.is_closing():
            self._idle.append(client)

    def _open(self) -> Client | None:
        """One that is idle, and that the server has not closed meanwhile, as it may."""
        while self._idle:
            client = self._idle.pop()
            if client.transport is not None and not client.transport.is_closing():
                return client
        return None

    async def at_rate(self, requests: Sequence[bytes], rate: float) -> Outcome:
        """Evenly, ``rate`` a second."""
        outcome, begun = Outcome(), time.perf_counter()
        sent = []
        for n, request in enumerate(requests):
            planned = begun + n / rate
            if (pause := planned - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            sent.append(asyncio.create_task(self._one(request, planned, outcome)))
        await asyncio.wait(sent, timeout=GRACE_S)
        lost = len(requests) - len(outcome.took_ms)
        if lost:
            outcome.statuses[0] = outcome.statuses.get(0, 0) + lost
        outcome.seconds = time.perf_counter() - begun
        return outcome

    async def at_most(self, requests: Sequence[bytes], clients: int) -> Outcome:
        """As fast as so many clients get their answers, each waiting for one at a time."""
        outcome, begun, left = Outcome(), time.perf_counter(), iter(requests)

        async def one_after_the_other() -> None:
            for request in left:
                await self._one(request, time.perf_counter(), outcome)

        await asyncio.gather(*(one_after_the_other() for _ in range(clients)))
        outcome.seconds = time.perf_counter() - begun
        return outcome
