"""Three Ray nodes on this machine, each with a network of its own, real Kafka, Cassandra and Redis: while all stream
and serve a node is killed, or its cable is pulled out and it goes on by itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest
import yaml

from kolray import local
from kolray.benchmarks.chaos.compare import compare
from kolray.benchmarks.chaos.run import STREAM, quarters, send
from kolray.clock import EPOCH, SystemClock
from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.connectors.producer import EventProducer
from kolray.local.cluster import SERVE_ENV
from kolray.local.ports import choose_port
from kolray.local.process import RunFolder
from kolray.models.lifecycle import submit, train
from kolray.models.registry import ModelRegistry
from kolray.schemas.registry import open_registry
from kolray.serving.tokens import Tokens
from kolray.settings import Settings, load_settings
from kolray.stores.open import open_metrics_store
from kolray.stream.patterns import Patterns
from kolray.stream.status import StatusFile
from tests.clients import Clients
from tests.integration.conftest import ready
from tests.network import Network, network, why_not
from tests.ray_head import BIN, ROOT, ray_cluster, title
from tests.served import write_lake
from tests.waiting import until

pytestmark = pytest.mark.heavy
GRACE_S = 5.0
"""After the loss of a node some requests may fail; later none."""
PAUSE_S = 0.05
SHARDS = 3
WORKERS = 2
LEFT_AT_KILL = 40
"""Quarters of an hour that are sent after the loss, of 120: some alerts are raised before it, some after."""


class Asked(Clients):
    """Two that ask for a score and for windows of one node's proxy after the other; what failed is kept with its time.

    As a balancer does, they ask a proxy no more that does not answer at all.
    """

    def __init__(self, urls: list[str], token: str) -> None:
        self.urls = list(urls)
        self._http = {"headers": {"Authorization": f"Bearer {token}"}, "timeout": 30.0}
        self.answered: list[tuple[float, str]] = []
        self.failed: list[tuple[float, str]] = []
        super().__init__(*(partial(self._ask, ask) for ask in (_score, _windows)))

    def _ask(self, ask: Callable[[httpx.Client, str], httpx.Response]) -> None:
        with httpx.Client(**self._http) as http:
            for n in count():
                if self.stopped.wait(PAUSE_S):
                    return
                url = self.urls[n % len(self.urls)]
                try:
                    answer = ask(http, url)
                except httpx.HTTPError as error:
                    self.failed.append((time.monotonic(), f"{url} {error!r}"))
                    self.leave_out(url)
                else:
                    if answer.is_success:
                        self.answered.append((time.monotonic(), url))
                    else:
                        self.failed.append((time.monotonic(), f"{url} {answer.status_code} {answer.text[:200]}"))

    def leave_out(self, url: str) -> None:
        self.urls = [each for each in self.urls if each != url]


def _score(http: httpx.Client, url: str) -> httpx.Response:
    return http.post(f"{url}/kol/score", json={"kol_id": "kol-0001"})


def _windows(http: httpx.Client, url: str) -> httpx.Response:
    return http.get(f"{url}/kol/kol_000001/metrics?window=1h")


@pytest.fixture
def cables(settings: Settings) -> Iterator[Network | None]:
    """The nodes' network, where one can be made; in it they reach the servers, also when they are cut off."""
    if why_not():
        yield None
        return
    with network(1 + WORKERS) as made:
        for running in RunFolder(settings.home).running():
            made.lead_out(int(running.address.rpartition(":")[2]))
        yield made


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The local profile, two champions, and a stream that checkpoints each second."""
    for command in ("java", "mvn"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed, and the local profile needs it")
    env = STREAM | {"KOLRAY_STREAM__HANG_AFTER_S": "20", "KOLRAY_STREAM__SHARDS": str(SHARDS)} | SERVE_ENV
    # As cluster.yaml starts its head.
    env |= {
        "KOLRAY_SERVING__CACHE_S": "0",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    ready("local", home)
    settings = load_settings(home=home)
    write_lake(Path(settings.lake_root))
    for kind in ("trust", "success"):
        submit(ModelRegistry.of(settings), kind, train(kind, settings.lake_root))
    yield settings
    local.down(home)


def _deploy(dashboard: str, folder: Path, cables: Network | None) -> list[str]:
    """The production configuration, with one replica a node, on this test's port; returns where the proxies answer."""
    port = choose_port("serving")
    config = yaml.safe_load((ROOT / "serve_configs" / "prod.yaml").read_text())
    config["http_options"]["port"] = port
    if cables is None:  # nodes that share a network share the proxies' port too
        config["proxy_location"] = "HeadOnly"
    [deployment] = config["applications"][0]["deployments"]
    del deployment["autoscaling_config"]
    deployment |= {"num_replicas": 3, "max_replicas_per_node": 1}
    (folder / "serve.yaml").write_text(yaml.safe_dump(config))
    _run(BIN / "serve", "deploy", folder / "serve.yaml", "-a", dashboard)
    return (
        [f"http://{cables.lead_in(node, port)}" for node in range(1 + WORKERS)]
        if cables
        else [f"http://127.0.0.1:{port}"]
    )


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=ROOT)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def _job(dashboard: str, job: str, *options: str) -> str:
    script, *arguments = job.split()
    path = str(ROOT / "jobs" / script)
    return _run(BIN / "ray", "job", "submit", "--address", dashboard, *options, "--", sys.executable, path, *arguments)


def _running(home: Path) -> list[int]:
    """Processes of the shards that run."""
    said = StatusFile(home).read() or {"shards": []}
    return [shard["pid"] for shard in said["shards"] if shard["state"] == "running" and shard["pid"]]


def _placed(home: Path) -> set[str]:
    """Addresses of the nodes that have a shard."""
    return {shard["node"] for shard in (StatusFile(home).read() or {"shards": []})["shards"] if shard["node"]}


def _counted(home: Path, *names: str) -> int:
    parts = [
        part for shard in (StatusFile(home).read() or {"shards": []})["shards"] for part in shard["partitions"].values()
    ]
    return sum(part[name] for part in parts for name in names)


def _alerts_of(settings: Settings) -> tuple[set[str], set[str]]:
    """Ids of the alerts that the final windows should have raised, as one machine finds them; and of those kept."""
    store = open_metrics_store(settings)
    windows = pl.concat(list(store.scan_windows())).filter(pl.col("window") == "1h", "final")
    kept = store.alerts(EPOCH + timedelta(days=1), None, 1_000_000)["alert_id"]
    store.close()
    return set(Patterns().on_closed(windows)["alert_id"]), set(kept)


def _with_both(nodes: list[psutil.Process], shards: list[int]) -> int | None:
    """The number of a node that runs a shard and a replica."""
    for number, node in enumerate(nodes):
        family = node.children(recursive=True)
        replica = any("ServeReplica:kolray" in title(each) for each in family)
        if replica and {each.pid for each in family} & set(shards):
            return number
    return None


def _fail(fault: str, cables: Network | None, node: int, nodes: list[psutil.Process]) -> None:
    if fault == "cut off" and cables:
        cables.cut(1 + node)
    else:
        _kill(nodes[node])


def _kill(node: psutil.Process) -> None:
    for process in [*node.children(recursive=True), node]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _evening(now: datetime) -> datetime:
    return (now - timedelta(hours=6)).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize("fault", ["killed", "cut off"])
def test_a_node_that_is_lost_loses_and_doubles_nothing(
    fault: str, settings: Settings, cables: Network | None, tmp_path: Path
) -> None:
    if fault == "cut off" and cables is None:
        pytest.skip(f"no node can be cut off: {why_not()}")
    home, clock = settings.home, SystemClock()
    world = build_world(
        # Long enough that KOLs have a history of their own (12 hours) when half of them begin to cheat.
        WorldConfig(n_kols=120, hours=30, seed=11, end=_evening(clock.now()), fraud_share=0.5, difficulty="easy")
    )
    todo = deque(part for batch in batches(world) for part in quarters(batch))
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    token = Tokens.of(settings).create("test", ("read", "score"), 10**6)
    with ray_cluster(home, tmp_path, WORKERS, cables) as (dashboard, nodes):
        urls = _deploy(dashboard, tmp_path, cables)
        _job(dashboard, "stream.py", "--no-wait", "--submission-id", "stream")
        sent = send(producer, todo.popleft())
        until("all shards run", lambda: len(_running(home)) == SHARDS)
        until("a node has a shard and a replica", lambda: _with_both(nodes, _running(home)) is not None)
        until("each node has a shard", lambda: len(_placed(home)) == SHARDS)
        for url in urls:
            until(f"{url} is ready", lambda url=url: httpx.get(f"{url}/readyz", timeout=5).is_success)  # type: ignore[misc]
        with Asked(urls, token) as clients:
            while todo:
                sent += send(producer, todo.popleft())
                if len(todo) == LEFT_AT_KILL:
                    producer.flush()
                    until("the first alert", lambda: _counted(home, "alerts") > 0)
                    alerts_before = _counted(home, "alerts")
                    victim = _with_both(nodes, _running(home))
                    assert victim is not None
                    if fault == "cut off":  # how long a client waits for a proxy that is cut off is its balancer's
                        clients.leave_out(urls[1 + victim])
                        clock.sleep(1)
                    _fail(fault, cables, victim, nodes)
                    killed = time.monotonic()
            producer.flush()
            until("all is counted", lambda: _counted(home, "events", "rejected") >= sent)
            recovered = time.monotonic() - killed
        _run(BIN / "ray", "job", "stop", "--address", dashboard, "stream")
        said = _job(dashboard, "stream.py --until-end").splitlines()
        counts = json.loads(next(line for line in said if line.startswith('{"') and '"windows"' in line))
        _job(dashboard, "bronze.py")
    failures = [(round(at - killed, 1), what) for at, what in clients.failed]
    answers = Counter(url for _, url in clients.answered)
    print(f"{fault}: caught up {recovered:.1f} s after it; answered {answers}; failed {failures}")
    report, (raised, kept) = compare(settings, sent, counts), _alerts_of(settings)
    print(report, f"{alerts_before} alerts before the kill, {len(raised - kept)} lost, {len(kept - raised)} too many")
    late = [failure for failure in failures if failure[0] > GRACE_S]
    assert report.right, report
    assert 0 < alerts_before < report.alerts
    assert kept == raised
    assert late == []
    assert max(at for at, _ in clients.answered) > killed + GRACE_S
