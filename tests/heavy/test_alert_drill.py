"""Ten faults on a real Prometheus: each raises its alert within a minute, and the alert goes with the fault.

Durations are a twentieth of production's (``Watched.pace``), scrapes a second apart. With ``KOLRAY_DRILL=shipped`` both
are as they ship, and it takes ten minutes: an alert about a range of five goes after five. The stream's status is
written as its supervisor writes it; replicas are real endpoints over the definitions, quotas, runs and drift files.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from kolray.clock import SystemClock, to_ms
from kolray.connectors.poll_run import quota_of, state_file
from kolray.connectors.state import PollState
from kolray.local.ports import choose_port
from kolray.observability.catalog import CATALOG
from kolray.observability.config import Watched
from kolray.observability.endpoint import Endpoint, announce
from kolray.observability.runs import Runs
from kolray.settings import Settings
from kolray.stream.status import StatusFile, report
from kolray.stream.supervision import Supervision
from tests.prometheus import exporter, needs_prometheus, prometheus, until_firing

pytestmark = [pytest.mark.heavy, needs_prometheus]
WITHIN_S = 60.0
SHIPPED = os.environ.get("KOLRAY_DRILL") == "shipped"
EVERY_S, PACE = (Watched.every_s, Watched.pace) if SHIPPED else (1, 0.05)
CLEARED_S = WITHIN_S + (300 if SHIPPED else 0)
"""Dead letters are compared over five minutes."""


def _now() -> float:
    return to_ms(SystemClock().now()) / 1000


@dataclass
class Stream:
    """Two shards that read a thousand events a second, as their supervisor tells; faults are what is set here."""

    home: Path
    lag: int = 3
    dead: bool = False
    """Every second record is a dead letter."""
    stale_s: float = 5
    """Age of the checkpoints."""
    down: bool = False
    """The second shard does not come back."""
    silent: bool = False
    """The supervisor was killed."""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("events", "rejected"), 0))
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        watch = Supervision([[0], [1]], SystemClock(), hang_after_s=20)
        file = StatusFile(self.home)
        while not self.stopped.wait(0.25):
            self.counts["events"] += 250
            self.counts["rejected"] += 250 if self.dead else 0
            for shard in watch.shards:
                shard.state = "running"
            watch.shards[1].state = "waiting" if self.down else "running"
            if not self.silent:
                file.write(report(watch, {0: self._answer(0), 1: self._answer(1)}, "running", _now()))

    def _answer(self, number: int) -> dict[str, Any]:
        part = self.counts | {"lag": self.lag, "watermark_ms": int(_now() * 1000) - 8000, "checkpoint": 1}
        return {"pid": os.getpid(), "at": _now(), "checkpoint_at": _now() - self.stale_s, "partitions": {number: part}}


class Replica:
    """A replica's own endpoint, announced; its requests are counted as the API counts them."""

    def __init__(self, folder: Path) -> None:
        self.registry, self.folder = CollectorRegistry(), folder
        self.seconds = CATALOG["kolray_http_request_seconds"].histogram(self.registry)
        self.resting = CATALOG["kolray_lookup_breaker_open"].gauge(self.registry).labels("redis")
        self.oldest_hit_s = CATALOG["kolray_tracking_oldest_seconds"].gauge(self.registry)
        self.status, self.stopped = "200", threading.Event()
        self.open()

    def open(self) -> None:
        self.endpoint = Endpoint(lambda: generate_latest(self.registry), "127.0.0.1")
        announce(self.folder, "serving", self.endpoint.address)

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            self.seconds.labels("/kol/score", self.status).observe(0.01)


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[tuple[Settings, Stream, Replica]]:
    settings = Settings(home=tmp_path / "home")
    stream, replica = Stream(settings.home), Replica(Path(settings.metric_targets))
    threads = [threading.Thread(target=part.run) for part in (stream, replica)]
    for thread in threads:
        thread.start()
    yield settings, stream, replica
    for part in (stream, replica):
        part.stopped.set()
    for thread in threads:
        thread.join()
    replica.endpoint.close()


def _drift(settings: Settings, psi: float) -> None:
    rows = pl.DataFrame([("feature", "like_rate", psi, psi > 0.25)], ["kind", "name", "value", "drifted"], orient="row")
    now = SystemClock().now()
    at = pl.lit(now).cast(pl.Datetime("ms", "UTC"))
    rows = rows.with_columns(at=at, model=pl.lit("trust:3"), kols=pl.lit(9), dt=pl.lit(now.date()))
    rows.write_delta(str(settings.home / "lake" / "ops" / "drift"), mode="append")


def _night(settings: Settings, *, fails: bool) -> None:
    with pytest.raises(OSError, match="away") if fails else Runs(settings.home).record("lake silver"):
        if fails:
            with Runs(settings.home).record("lake silver"):
                raise OSError("the lake is away")


def _spend(settings: Settings, units: int) -> None:
    with closing(PollState(state_file(settings, "youtube"))) as state:
        state.add_spent(quota_of(settings, "youtube").periods(SystemClock().now()), units)


def test_ten_faults_raise_their_alerts_and_clear(tmp_path: Path, drill: tuple[Settings, Stream, Replica]) -> None:
    settings, stream, replica = drill
    port = choose_port("exporter")
    watched = Watched(f"127.0.0.1:{port}", settings.metric_targets, str(tmp_path / "no-ray.json"), EVERY_S, PACE)
    together = {
        "KolrayStreamLag", "KolrayShardDown", "KolrayCheckpointStale", "KolrayDeadLetters", "KolrayApiErrors",
        "KolrayLookupBreaker", "KolrayQuotaLow", "KolrayRunFailed", "KolrayDrift", "KolrayTrackingStuck",
    }  # fmt: skip
    _drift(settings, 0.1)
    _spend(settings, 100)
    with prometheus(tmp_path, watched) as server:
        with exporter(settings.home, port):
            until_firing(server, together | {"KolrayStreamDown", "KolrayReplicaDown"}, CLEARED_S, firing=False)
            stream.lag, stream.down, stream.stale_s, stream.dead = 9000, True, 400, True
            replica.status = "500"
            replica.resting.set(1)
            replica.oldest_hit_s.set(180)
            _spend(settings, 9500)
            _night(settings, fails=True)
            _drift(settings, 0.4)
            raised = until_firing(server, together, WITHIN_S)
            stream.lag, stream.down, stream.stale_s, stream.dead = 3, False, 5, False
            replica.status = "200"
            replica.resting.set(0)
            replica.oldest_hit_s.set(0)
            _spend(settings, -9500)
            _night(settings, fails=False)
            _drift(settings, 0.1)
            until_firing(server, together, CLEARED_S, firing=False)
            stream.silent = True
            replica.endpoint.close()
            raised |= until_firing(server, {"KolrayStreamDown", "KolrayReplicaDown"}, WITHIN_S)
            stream.silent = False
            replica.open()
            until_firing(server, {"KolrayStreamDown", "KolrayReplicaDown"}, CLEARED_S, firing=False)
        raised |= until_firing(server, {"KolrayExporterDown"}, WITHIN_S)
        with exporter(settings.home, port):
            until_firing(server, {"KolrayExporterDown"}, CLEARED_S, firing=False)
    print({name: round(seconds, 1) for name, seconds in sorted(raised.items())})
    assert len(raised) == 13
