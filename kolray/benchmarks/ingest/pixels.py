"""Hits of the tracking pixel at a rate and as many as there can be; each accepted one has to be in Kafka."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import psutil

from kolray.benchmarks.ingest.producing import read_ids
from kolray.benchmarks.serving.load import Load, Outcome
from kolray.benchmarks.serving.servers import running
from kolray.local.ports import LOOPBACK
from kolray.settings import Settings

CLIENTS = 16
WARM = 500
AGENTS = 200
PATIENCE_S = 60.0
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


class Pixels(NamedTuple):
    """Requests at the planned rate, and as fast as 16 clients get answers.

    ``missing`` hits are not in Kafka; a hit took ``cpu_us`` of uvicorn's process, until Kafka had it.
    """

    steady: Outcome
    most: Outcome
    missing: int
    cpu_us: float


def pixels(settings: Settings, kind: str, rate: float, seconds: float, most: int) -> Pixels:
    """On the application as ``kind`` serves it (see ``running``), which has to find its servers by its home."""
    before = read_ids(settings.kafka)
    n = int(rate * seconds)
    requests = [_hit(kind, number) for number in range(WARM + n + most)]
    with running(kind, str(settings.home), {}) as port:
        cpu_s = _cpu_s()
        warm, steady, fastest = asyncio.run(_ask(port, requests, rate, n))
        cpu_s = _cpu_s() - cpu_s
    accepted = len(requests) - warm.errors - steady.errors - fastest.errors
    held = _wait(settings, before.n_unique() + accepted)
    return Pixels(steady, fastest, accepted - (held - before.n_unique()), round(cpu_s * 1e6 / len(requests), 1))


def _cpu_s() -> float:
    """CPU seconds of the application on uvicorn; 0 where Ray Serve runs it."""
    served = [
        one for one in psutil.Process().children(recursive=True) if "kolray.benchmarks.serving.plain" in one.cmdline()
    ]
    return sum(times.user + times.system for times in (one.cpu_times() for one in served))


async def _ask(port: int, requests: list[bytes], rate: float, n: int) -> tuple[Outcome, Outcome, Outcome]:
    """What came of the first, which warm it up (some may be refused), of those at the rate, and of the others."""
    load = Load(LOOPBACK, port)
    warm = await load.at_rate(requests[:WARM], rate / 3)
    steady = await load.at_rate(requests[WARM : WARM + n], rate)
    return warm, steady, await load.at_most(requests[WARM + n :], CLIENTS)


def _hit(kind: str, number: int) -> bytes:
    """Consented, each of another page; visitors come again."""
    page = f"https%3A%2F%2Fshop.example%2Fp%2F{number}"
    query = f"kol_id=kol_{number % 2000:06d}&campaign_id=c{number % 97:03d}&event_id={kind}-{number}&url={page}"
    return (
        f"GET /pixel.gif?{query}&consent=1 HTTP/1.1\r\nHost: {LOOPBACK}\r\n"
        f"User-Agent: {BROWSER} Visitor/{number % AGENTS}\r\nAccept: image/*\r\n\r\n"
    ).encode()


def _wait(settings: Settings, wanted: int) -> int:
    """Distinct events in Kafka, once all are there or patience ends."""
    deadline = time.monotonic() + PATIENCE_S
    while (held := read_ids(settings.kafka).n_unique()) < wanted and time.monotonic() < deadline:
        time.sleep(1)
    return held
