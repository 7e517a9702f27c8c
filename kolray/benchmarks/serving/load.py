"""Requests at planned times, whatever the server does: an open loop, as wrk2 has it."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import polars as pl

GRACE_S = 30
"""Seconds without any answer after which the rest is not waited for."""
_LENGTH = re.compile(rb"content-length: *(\d+)\r", re.IGNORECASE)


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

    def __init__(self, answered: Callable[[Client, int], None]) -> None:
        self._answered = answered
        self._buffer = b""
        self._asking = False
        self.transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        """Whether it may be asked; a server may close it at any time."""
        return self.transport is not None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def ask(self, request: bytes) -> None:
        """``answered`` is told the status once the whole answer is there; 0 where the connection was closed."""
        self._buffer, self._asking = b"", True
        self.transport.write(request)  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end + 2)
        if len(self._buffer) - end - 4 >= (int(length[1]) if length else 0):
            self._tell(int(self._buffer[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self._tell(0)

    def _tell(self, status: int) -> None:
        if self._asking:
            self._asking = False
            self._answered(self, status)


class Load:
    """Sends requests to one server over connections that stay open; more are opened where all are busy.

    No task and no future a request: what the client costs, the server on the same machine lacks.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: deque[Client] = deque()
        self._planned: dict[Client, float] = {}
        self._opening = set[asyncio.Task[None]]()
        self._outcome = Outcome()
        self._all_there = asyncio.Event()
        self._missing = 0
        self._next: Iterator[bytes] = iter(())

    async def at_rate(self, requests: Sequence[bytes], rate: float) -> Outcome:
        """Evenly, ``rate`` a second."""
        begun = self._begin(len(requests))
        for n, request in enumerate(requests):
            planned = begun + n / rate
            if (pause := planned - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            self._send(request, planned)
        return await self._end(begun)

    async def at_most(self, requests: Sequence[bytes], clients: int) -> Outcome:
        """As fast as so many clients get their answers, each waiting for one at a time."""
        begun = self._begin(len(requests))
        self._next = iter(requests)
        for request in islice(self._next, clients):
            self._send(request, time.perf_counter())
        return await self._end(begun)

    def _begin(self, n: int) -> float:
        self._outcome, self._missing, self._next = Outcome(), n, iter(())
        self._all_there.clear()
        return time.perf_counter()

    async def _end(self, begun: float) -> Outcome:
        outcome = self._outcome
        before = -1
        while self._missing not in (0, before):
            before = self._missing
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_there.wait(), GRACE_S)
        if self._missing:
            outcome.statuses[0] = outcome.statuses.get(0, 0) + self._missing
        outcome.seconds = time.perf_counter() - begun
        self._planned.clear()
        return outcome

    def _send(self, request: bytes, planned: float) -> None:
        while self._idle:
            client = self._idle.pop()
            if client.open:
                self._planned[client] = planned
                client.ask(request)
                return
        opening = asyncio.get_running_loop().create_task(self._connect(request, planned))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _connect(self, request: bytes, planned: float) -> None:
        client = Client(self._answered)
        self._planned[client] = planned
        try:
            await asyncio.get_running_loop().create_connection(lambda: client, self._host, self._port)
        except OSError:
            self._answered(client, 0)
        else:
            client.ask(request)

    def _answered(self, client: Client, status: int) -> None:
        planned = self._planned.pop(client, None)
        if planned is None:  # later than anybody waits for it
            return
        self._outcome.took_ms.append((time.perf_counter() - planned) * 1000)
        self._outcome.statuses[status] = self._outcome.statuses.get(status, 0) + 1
        self._missing -= 1
        if status and client.open:
            self._idle.append(client)
        if (request := next(self._next, None)) is not None:
            self._send(request, time.perf_counter())
        if not self._missing:
            self._all_there.set()
