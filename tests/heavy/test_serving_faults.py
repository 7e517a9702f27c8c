"""Ray Serve with two replicas under load: models change, a canary is moved, a replica is killed; no request fails."""

from __future__ import annotations

import csv
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from kolray import local
from kolray.local.cluster import HAPROXY_ENV, SERVE_ENV
from kolray.local.ports import choose_port
from kolray.models.lifecycle import submit, train
from kolray.models.registry import CHALLENGER, CHAMPION, ModelRegistry
from kolray.serving.tokens import Tokens
from kolray.settings import Settings
from tests.clients import Clients
from tests.ray_head import BIN, ROOT, ray_head, title
from tests.served import served_home
from tests.waiting import until

pytestmark = pytest.mark.heavy
KOLS = [f"kol-{n:04d}" for n in range(200)]
CLIENTS, KILLS = 8, 2
PAUSE_S = 0.08
"""Between the requests of a client: some eighty a second of all."""


class Load(Clients):
    """Clients that ask for scores without end; each answer counts by status, and by the model that gave it.

    A connection that was kept open may be closed in place of an answer, which says "again" (RFC 9112, 9.3.1): they ask
    again, as `kolray.client` does, and ``closed`` counts how often.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        self.statuses: Counter[int | str] = Counter()
        self.models: dict[str, str] = {}
        self.closed = 0
        super().__init__(*(partial(self._ask, n) for n in range(CLIENTS)))

    def _ask(self, client: int) -> None:
        with httpx.Client(timeout=60) as http:
            for n in range(client, 10**9, CLIENTS):
                if self.stopped.wait(PAUSE_S):
                    return
                kol_id = KOLS[n % len(KOLS)]
                try:
                    answer = self._post(http, kol_id)
                    self.statuses[answer.status_code] += 1
                    if answer.is_success:
                        self.models[kol_id] = answer.json()["model"]
                    else:
                        self.statuses[answer.text[:200]] += 1
                except httpx.HTTPError as error:
                    self.statuses[repr(error)] += 1

    def _post(self, http: httpx.Client, kol_id: str) -> httpx.Response:
        ask = partial(http.post, f"{self._url}/kol/score", json={"kol_id": kol_id}, headers=self._headers)
        try:
            return ask()
        except httpx.RemoteProtocolError:
            self.closed += 1
            return ask()

    def until(self, holds: Callable[[dict[str, str]], bool], limit_s: float = 60) -> None:
        """Waits until every KOL was asked for anew and the models that answered are as expected."""
        deadline = time.monotonic() + limit_s
        while True:
            self.models.clear()
            while len(self.models) < len(KOLS) and time.monotonic() < deadline:
                time.sleep(0.2)
            if holds(dict(self.models)):
                return
            assert time.monotonic() < deadline, Counter(self.models.values())


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("faults")
    settings = served_home(home)
    registry = ModelRegistry.of(settings)
    submit(registry, "trust", train("trust", settings.lake_root))
    assert registry.alias_version("trust", CHALLENGER) == 2
    yield settings
    local.down(home)


@pytest.fixture(params=[SERVE_ENV, HAPROXY_ENV], ids=["proxies", "haproxy"])
def dashboard(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[str]:
    ports = {f"RAY_SERVE_HAPROXY_{name}_PORT": str(choose_port(name)) for name in ("STATS", "METRICS")}
    for name, value in (request.param | ports | {"KOLRAY_SERVING__CACHE_S": "0"}).items():
        monkeypatch.setenv(name, value)
    with ray_head(settings.home, tmp_path / "ray.log") as address:
        yield address
        # HAProxy is nobody's child: who kills Ray alone leaves it with its ports.
        subprocess.run([BIN / "serve", "shutdown", "-y", "-a", address], check=False, timeout=120, capture_output=True)


def _deploy(dashboard: str, folder: Path, port: int, replicas: int = 2, **user_config: Any) -> None:
    config = yaml.safe_load((ROOT / "serve_configs" / "canary.yaml").read_text())
    config["http_options"]["port"] = port
    [deployment] = config["applications"][0]["deployments"]
    deployment |= {"user_config": user_config, "num_replicas": replicas}
    file = folder / "canary.yaml"
    file.write_text(yaml.safe_dump(config))
    command = [BIN / "serve", "deploy", str(file), "-a", dashboard]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def _replicas() -> list[psutil.Process]:
    mine = psutil.Process(os.getpid()).children(recursive=True)
    return [each for each in mine if "ServeReplica:kolray" in title(each)]


def _in_rotation() -> float:
    """Replicas that HAProxy sends requests to; without it each that runs is."""
    try:
        said = httpx.get(f"http://127.0.0.1:{os.environ['RAY_SERVE_HAPROXY_STATS_PORT']}/stats;csv", timeout=5).text
    except httpx.ConnectError:
        return inf
    servers = csv.DictReader(said.removeprefix("# ").splitlines())
    return sum("REPLICA" in each["svname"] and each["status"].startswith("UP") for each in servers)


def test_no_request_fails_through_changes_and_kills(settings: Settings, dashboard: str, tmp_path: Path) -> None:
    registry, port = ModelRegistry.of(settings), choose_port("serving")
    registry.set_alias("trust", 1, CHAMPION)
    url, token = f"http://127.0.0.1:{port}", Tokens.of(settings).create(tmp_path.name, ("score",), 10**6)
    _deploy(dashboard, tmp_path, port, canary_percent=0, shadow=False)
    until("two replicas answer", lambda: httpx.get(f"{url}/healthz", timeout=5).is_success and len(_replicas()) == 2)
    with Load(url, token) as load:
        load.until(lambda models: set(models.values()) == {"trust:1"})
        pids = {each.pid for each in _replicas()}

        _deploy(dashboard, tmp_path, port, canary_percent=30, shadow=True)
        load.until(lambda models: set(models.values()) == {"trust:1", "trust:2"})
        chosen = {kol_id for kol_id, model in load.models.items() if model == "trust:2"}
        load.until(lambda models: {kol_id for kol_id, model in models.items() if model == "trust:2"} >= chosen)
        assert {each.pid for each in _replicas()} == pids, "taken over in place"

        registry.set_alias("trust", 2, CHAMPION)
        load.until(lambda models: set(models.values()) == {"trust:2"})

        assert (set(load.statuses), load.closed) == ({200}, 0)
        for _ in range(KILLS):
            until("two replicas are in rotation", lambda: len(_replicas()) == 2 and _in_rotation() >= 2)
            victim = _replicas()[0]
            victim.kill()
            until("the replica is gone", lambda gone=victim: not gone.is_running())  # type: ignore[misc]
            load.until(lambda models: set(models.values()) == {"trust:2"})
    print(load.statuses, load.closed)
    assert set(load.statuses) == {200}
    # HAProxy does not repeat what a killed replica had not even read: the kernel resets that connection, and upon a
    # reset it only tells the client to ask again.
    assert load.closed == 0 or "RAY_SERVE_ENABLE_HA_PROXY" in os.environ


@pytest.mark.parametrize("dashboard", [HAPROXY_ENV], ids=["haproxy"], indirect=True)
def test_no_request_fails_while_replicas_go_and_come(settings: Settings, dashboard: str, tmp_path: Path) -> None:
    port = choose_port("serving")
    url, token = f"http://127.0.0.1:{port}", Tokens.of(settings).create(tmp_path.name, ("score",), 10**6)
    _deploy(dashboard, tmp_path, port)
    until("two replicas answer", lambda: httpx.get(f"{url}/healthz", timeout=5).is_success and len(_replicas()) == 2)
    with Load(url, token) as load:
        for replicas in (1, 3):
            before = load.statuses.total()
            _deploy(dashboard, tmp_path, port, replicas)
            until(f"{replicas} replicas run", lambda n=replicas: len(_replicas()) == n)  # type: ignore[misc]
            load.until(lambda models: len(models) == len(KOLS))
            assert load.statuses.total() > before + len(KOLS)
    print(load.statuses)
    assert (set(load.statuses), load.closed) == ({200}, 0)
