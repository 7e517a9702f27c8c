"""The rate limit on a real Redis: several replicas together never let more through in any window than one may."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import ResponseError

from kolray import local
from kolray.errors import ServiceUnavailableError
from kolray.local import servers
from kolray.local.profiles import one_server
from kolray.settings import RedisSettings, load_settings
from kolray.stores.rate_window import Count, RateWindow
from kolray.stores.redis_connection import ALONE_S, FAILED, RedisConnection
from kolray.stores.redis_loop import LoopRedis

REPLICAS = 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("limits")
    with one_server(servers.redis, home):
        yield home


@pytest.fixture(scope="module")
def redis(home: Path) -> RedisSettings:
    return load_settings(home=home).redis


@pytest.fixture
def server(home: Path) -> psutil.Process:
    [running] = local.status(home)
    [server] = psutil.Process(running.pid).children()  # of the watchdog
    return server


class Window:
    """``RateWindow`` for callers without a loop."""

    def __init__(self, redis: RedisSettings, window_s: float, connection: RedisConnection | None = None) -> None:
        self.redis = LoopRedis(redis, connection or RedisConnection(redis))
        self._window, self._loop = RateWindow(self.redis, window_s), asyncio.Runner()

    def take(self, key: str, limit: int) -> Count:
        return self._loop.run(self._window.take(key, limit))[0]


def _ask(redis: RedisSettings, limit: int, window_s: float, windows: int, seed: int) -> list[tuple[float, float]]:
    """One replica: asks in bursts and pauses; returns when each grant was asked for and when it was there."""
    window, chance, granted = Window(redis, window_s), random.Random(seed), []
    until = time.monotonic() + windows * window_s
    while time.monotonic() < until:
        for _ in range(chance.randint(1, 2 * limit)):
            asked = time.monotonic()
            if window.take("token", limit).granted:
                granted.append((asked, time.monotonic()))
        time.sleep(chance.expovariate(10 / window_s))
    return granted


def _wait_for_all(all_there: Barrier) -> None:
    all_there.wait()


def _together(redis: RedisSettings, limit: int, window_s: float, windows: int) -> list[tuple[float, float]]:
    spawn = multiprocessing.get_context("spawn")
    all_there = spawn.Barrier(REPLICAS)
    with ProcessPoolExecutor(REPLICAS, spawn, _wait_for_all, (all_there,)) as replicas:
        asking = [replicas.submit(_ask, redis, limit, window_s, windows, seed) for seed in range(REPLICAS)]
        return sorted(grant for asked in asking for grant in asked.result())


@pytest.mark.parametrize(
    ("limit", "window_s", "windows"), [(20, 0.5, 4), pytest.param(100, 20, 3, marks=pytest.mark.heavy)]
)
def test_no_window_has_more_than_the_limit(redis: RedisSettings, limit: int, window_s: float, windows: int) -> None:
    """Each grant was decided between asking and answer: limit + 1 of them that certainly fit in a window are one too
    many."""
    grants = _together(redis, limit, window_s, windows)
    for at in range(len(grants) - limit):
        one_too_many = grants[at : at + limit + 1]
        assert max(there for _, there in one_too_many) - one_too_many[0][0] >= window_s
    assert len(grants) >= limit * (windows - 1), "and the limit itself is granted"


def test_the_next_is_granted_when_the_oldest_no_longer_counts(redis: RedisSettings) -> None:
    window = Window(redis, 0.2)
    assert [window.take("one", 2)[:2] for _ in range(3)] == [(True, 1), (True, 2), (False, 2)]
    time.sleep(window.take("one", 2).next_s + 0.001)
    assert window.take("one", 2).granted
    assert window.take("another", 2) == (True, 1, pytest.approx(0.2))


def test_a_token_that_is_gone_leaves_no_key_behind(redis: RedisSettings) -> None:
    window = Window(redis, 0.05)
    window.take("gone", 1)
    time.sleep(0.1)
    assert not RedisConnection(redis).client.exists("rate:gone")


def test_a_redis_that_hangs_is_left_alone_and_asked_again_later(redis: RedisSettings, server: psutil.Process) -> None:
    connection = RedisConnection(redis, hurry_s=0.05)
    window = Window(redis, 60, connection)
    assert window.take("hung", 9).granted
    server.suspend()
    try:
        for _ in range(FAILED + 2):
            with pytest.raises(ServiceUnavailableError, match="Redis does not answer"):
                window.take("hung", 9)
        server.resume()
        with pytest.raises(ServiceUnavailableError):
            window.take("hung", 9)  # it would answer now; for ALONE_S nobody asks
    finally:
        server.resume()
    time.sleep(ALONE_S + 0.1)
    assert window.take("hung", 9).granted


def test_a_refused_command_leaves_the_connection_in_order(redis: RedisSettings) -> None:
    window = Window(redis, 60)
    with asyncio.Runner() as loop:
        with pytest.raises(ResponseError):
            loop.run(window.redis.ask(("SET", "text", "a"), ("INCR", "text"), ("GET", "text")))
        assert loop.run(window.redis.ask(("GET", "text"), ("EXISTS", "text"))) == [b"a", 1]


def test_an_answer_given_up_is_not_taken_for_the_next_one(redis: RedisSettings) -> None:
    asked = LoopRedis(redis, RedisConnection(redis))

    async def give_up() -> list[Any]:
        await asked.ask(("SET", "mine", "b"))
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.ask(("BLPOP", "nothing", 1)), 0.05)
        return await asked.ask(("GET", "mine"))

    assert asyncio.run(give_up()) == [b"b"]


def test_a_connection_that_was_closed_meanwhile_is_made_anew(redis: RedisSettings) -> None:
    asked = LoopRedis(redis, RedisConnection(redis))

    async def close_between() -> list[Any]:
        await asked.ask(("PING",))
        RedisConnection(redis).client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        return await asked.ask(("PING",))

    assert asyncio.run(close_between()) == [b"PONG"]


def test_a_loop_that_was_held_up_does_not_take_redis_for_slow(redis: RedisSettings) -> None:
    asked = LoopRedis(redis, RedisConnection(redis, hurry_s=0.2))

    async def held_up() -> list[Any]:
        await asked.ask(("PING",))
        asking = asyncio.create_task(asked.ask(("PING",)))
        await asyncio.sleep(0)
        time.sleep(0.3)
        return await asking

    assert asyncio.run(held_up()) == [b"PONG"]
