"""Redis for an event loop: some commands, one round trip, no thread."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis
from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from kolray.settings import RedisSettings
from kolray.stores.redis_connection import RedisConnection, identity

Command = tuple[Any, ...]
"""A name and its arguments: text, bytes or numbers."""


class LoopRedis:
    """Connections of the loop that asks. Each serves one request at a time, and one that failed in any way is dropped.

    The connections are those of Redis' own client; its commands and pipelines cost twice the time of what they do.

    Args:
        connection: whose patience and circuit breaker are shared, so that all ways to Redis know that it is away.
    """

    def __init__(self, settings: RedisSettings, connection: RedisConnection) -> None:
        self._asking, self._within_s = connection.asking, connection.within_s
        never = Retry(NoBackoff(), 0)
        self._pool: Any = ConnectionPool.from_url(
            settings.url, decode_responses=False, socket_timeout=None, retry=never, **identity(settings)
        )
        self._idle: deque[AbstractConnection] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies, in order; texts as bytes.

        Raises:
            ServiceUnavailableError: Redis does not answer in time, or did not a moment ago.
            redis.ResponseError: it refused a command.
        """
        packed = [b"".join(map(pack_command, commands))]
        with self._asking():
            try:
                async with _within(self._within_s):
                    replies = await self._replies(packed, len(commands))
            except TimeoutError as error:
                raise redis.TimeoutError(f"no answer within {self._within_s:g} s") from error
        for reply in replies:
            if isinstance(reply, redis.ResponseError):
                raise reply
        return replies

    async def _replies(self, packed: list[bytes], n: int) -> list[Any]:
        if self._loop is not asyncio.get_running_loop():  # those of another loop are of no use here
            self._loop = asyncio.get_running_loop()
            self._idle.clear()
        while self._idle:
            try:
                return await self._by(self._idle.pop(), packed, n)
            except redis.ConnectionError:  # closed since it was used last
                continue
        connection = self._pool.make_connection()
        await connection.connect()
        return await self._by(connection, packed, n)

    async def _by(self, connection: AbstractConnection, packed: list[bytes], n: int) -> list[Any]:
        whole = False
        try:
            await connection.send_packed_command(packed, check_health=False)
            replies = [await _reply(connection) for _ in range(n)]
            whole = True
        finally:
            if whole:
                self._idle.append(connection)
            else:  # an answer that is still to come would be taken for the next one's
                await connection.disconnect(nowait=True)
        return replies


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """``asyncio.timeout``, in two halves: a loop that was held up sees that time is over before it sees the answer that
    has long been there. So between the halves it looks.

    Raises:
        TimeoutError: it took longer.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        half = loop.call_later(seconds / 2, lambda: limit.reschedule(loop.time() + seconds / 2))
        try:
            yield
        finally:
            half.cancel()


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(disable_decoding=True, timeout=math.inf, disconnect_on_error=False)
    except redis.ResponseError as error:  # the other replies are still to be read
        return error
