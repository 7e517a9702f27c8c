"""Redis as compose.yaml starts it: only for who has the password, which no list of processes shows."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
import yaml

from kolray.local.ports import choose_port
from kolray.local.servers import redis as local_redis
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PASSWORD = secrets.token_hex(24)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[psutil.Process, int]]:
    """compose.yaml's command, of a Redis on loopback alone; and its port."""
    command = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["redis"]["command"]
    port = choose_port("redis")
    entry = tmp_path / "redis-server"
    entry.write_text(f'#!/bin/sh\nexec {local_redis(tmp_path).command[0]} "$@" --port {port} --bind 127.0.0.1\n')
    entry.chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "REDISCLI_AUTH": PASSWORD}
    # Compose writes $$ for a dollar sign.
    words = [word.replace("$$", "$") for word in command]
    with subprocess.Popen(words, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        try:
            yield psutil.Process(process.pid), port
        finally:
            process.kill()


def test_it_asks_for_the_password_and_ends_by_the_signal(server: tuple[psutil.Process, int], tmp_path: Path) -> None:
    process, port = server
    stranger, friend = redis.Redis(port=port), redis.Redis(port=port, password=PASSWORD)
    until("Redis answers", lambda: _answers(friend))
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()
    assert friend.config_get("appendonly") == {"appendonly": "yes"}
    assert process.name().startswith("redis"), "the first process of the container is Redis itself"
    assert PASSWORD not in " ".join(process.cmdline())
    process.terminate()
    assert process.wait(10) == 0
    files = [*tmp_path.glob("appendonlydir/*"), *tmp_path.glob("appendonly.aof")]
    assert files, "one until Redis 6, several in a folder since"


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
