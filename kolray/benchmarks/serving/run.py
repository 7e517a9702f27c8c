"""``kolray bench serving``: scores at a rate, uncached, on Ray Serve, on uvicorn alone, and with Redis killed."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import uvloop
from redis import Redis

from kolray import local
from kolray.benchmarks.serving.load import Load, Outcome
from kolray.benchmarks.serving.servers import running
from kolray.benchmarks.serving.world import SEED, write_world
from kolray.local.ports import LOOPBACK
from kolray.local.profiles import one_server
from kolray.local.servers import redis
from kolray.serving.tokens import Tokens
from kolray.settings import Settings, load_settings

WARM = 300
CLIENTS = 16
COLD = 200
COLD_RATE = 30.0
EXPLAIN_RATE = 10.0
HAPROXY = {"KOLRAY_SERVING__HAPROXY": "true"}
PROXIES = {"KOLRAY_SERVING__HAPROXY": "false"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """``rate`` requests a second for ``seconds``, of ``kols`` by Zipf's law."""

    rate: float
    seconds: float
    kols: int

    def asked(self, kols: Sequence[str], n: int) -> list[str]:
        """Who is asked for: the k-th KOL as often as 1/k."""
        weights = 1 / np.arange(1, len(kols) + 1)
        chosen = np.random.default_rng(SEED).choice(len(kols), n, p=weights / weights.sum())
        return [kols[k] for k in chosen]


def run(plan: Plan, say: Say, *, haproxy: bool = True) -> dict[str, Any]:
    """On a Redis, a metrics store, a lake and a registry of its own, gone afterwards.

    Args:
        haproxy: behind Ray's HAProxy, and the rate alone behind Ray's own proxies too, as ``proxies_…``; else all
            behind these.

    Returns:
        Milliseconds from a request's planned time; ``max_rps`` of 16 clients that wait for their answers; ``errors``
        are answers other than 200, those of other servers and with Redis killed apart. ``client_us``: CPU time that
        this client takes for a request, of the same cores.
    """
    with tempfile.TemporaryDirectory(prefix="kolray-bench-") as folder, one_server(redis, Path(folder)):
        settings = load_settings(home=folder)
        say(f"{plan.kols:,} KOLs and a model")
        kols = write_world(settings, plan.kols)
        token = Tokens.of(settings).create("bench", ("score",), 10**8)
        figures: dict[str, Any] = asdict(plan) | {"haproxy": haproxy}
        say("on uvicorn alone")
        with running("uvicorn", folder, {}) as port:
            plain = uvloop.run(_steady(port, token, kols, plan))
        if haproxy:
            say("behind Ray's proxies")
            with running("ray", folder, PROXIES) as port:
                _tell(figures, "proxies_", uvloop.run(_steady(port, token, kols, plan)))
        with running("ray", folder, HAPROXY if haproxy else PROXIES) as port:
            say("on Ray Serve")
            _tell(figures, "", uvloop.run(_steady(port, token, kols, plan)))
            say("explanations, and KOLs that Redis does not know")
            explained, cold = uvloop.run(_others(settings, port, token, kols))
            say("with Redis killed")
            away = uvloop.run(_without_redis(settings, port, token, kols, plan))
    _tell(figures, "uvicorn_", plain)
    return figures | {
        "ratio_p95_to_uvicorn": round(figures["p95_ms"] / figures["uvicorn_p95_ms"], 2),
        "explain_p95_ms": explained.quantile(0.95),
        "cold_lookup_p95_ms": cold.quantile(0.95),
        "redis_killed_p95_ms": away.quantile(0.95),
        "redis_killed_errors": away.errors,
        "errors": figures["errors"] + explained.errors + cold.errors,
    }


def _tell(figures: dict[str, Any], prefix: str, steady: Steady) -> None:
    """Adds the figures of a server."""
    served, most = steady.served, steady.most
    quantiles = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    told = {name: served.quantile(q) for name, q in quantiles.items()}
    told |= {"max_rps": round(len(most.took_ms) / most.seconds), "client_us": steady.client_us}
    told["errors"] = served.errors + most.errors
    figures |= {prefix + name: value for name, value in told.items()}


def _request(token: str, kol_id: str, **more: Any) -> bytes:
    body = json.dumps({"kol_id": kol_id, **more}).encode()
    head = (
        f"POST /kol/score HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Steady(NamedTuple):
    """At the plan's rate, and as fast as it goes; ``client_us`` of CPU time that the client took for each request."""

    served: Outcome
    most: Outcome
    client_us: int


async def _steady(port: int, token: str, kols: list[str], plan: Plan) -> Steady:
    load = Load(LOOPBACK, port)
    requests = [_request(token, kol_id) for kol_id in plan.asked(kols, int(plan.rate * plan.seconds))]
    await load.at_rate(requests[:WARM], plan.rate / 3)
    before = time.process_time()
    served = await load.at_rate(requests, plan.rate)
    client_us = round((time.process_time() - before) / len(requests) * 1e6)
    return Steady(served, await load.at_most(requests, CLIENTS), client_us)


async def _others(settings: Settings, port: int, token: str, kols: list[str]) -> tuple[Outcome, Outcome]:
    load = Load(LOOPBACK, port)
    explained = await load.at_rate([_request(token, kol_id, explain=True) for kol_id in kols[:COLD]], EXPLAIN_RATE)
    forgotten = kols[-COLD:]
    with Redis.from_url(settings.redis.url) as held:  # as when they expired
        held.unlink(*(f"features:{kol_id}" for kol_id in forgotten))
    return explained, await load.at_rate([_request(token, kol_id) for kol_id in forgotten], COLD_RATE)


async def _without_redis(settings: Settings, port: int, token: str, kols: list[str], plan: Plan) -> Outcome:
    """Redis is killed while a third of the requests were sent."""
    load = Load(LOOPBACK, port)
    requests = [_request(token, kol_id) for kol_id in plan.asked(kols, int(plan.rate * plan.seconds))]
    third = len(requests) / plan.rate / 3
    under_way = asyncio.create_task(load.at_rate(requests, plan.rate))
    await asyncio.sleep(third)
    _kill(settings)
    return await under_way


def _kill(settings: Settings) -> None:
    for service in local.status(settings.home):
        for server in psutil.Process(service.pid).children():  # the watchdog's only child is the server
            server.kill()
