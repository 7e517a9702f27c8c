"""Shards that hang or lose their store, on real servers: replaced or waited for, never wrong."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psutil
import pytest

from kolray.clock import SystemClock
from kolray.connectors.generator import WorldConfig, build_world
from kolray.lake.world import send_world
from kolray.settings import Settings
from kolray.stream.actors import Supervisor, totals

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.embedded]


def _supervised(settings: Settings, **changes: object) -> tuple[Supervisor, int]:
    """A run without end over a small world, and the records it holds."""
    stream = settings.stream.model_copy(update={"checkpoint_interval_s": 0.3, **changes})
    world = build_world(WorldConfig(n_kols=100, hours=12, seed=5, end=datetime.now(UTC)))
    return Supervisor(settings.model_copy(update={"stream": stream})), send_world(settings, world)


def _until(holds: Callable[[], bool]) -> None:
    clock, limit = SystemClock(), SystemClock().monotonic() + 120
    while not holds() and clock.monotonic() < limit:
        clock.sleep(0.05)


def _run_beside(supervisor: Supervisor, sent: int, act: Callable[[], None]) -> None:
    """Runs until ``act`` is over and every record was read."""

    def all_read() -> bool:
        counts = totals(supervisor.status())
        return counts["events"] + counts["rejected"] >= sent

    def follow() -> None:
        try:
            act()
            _until(all_read)
        finally:
            supervisor.stop()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        supervisor.run()
    finally:
        thread.join()
        supervisor.close()
    assert totals(supervisor.status())["events"] + totals(supervisor.status())["rejected"] == sent


def test_a_hung_shard_is_replaced_and_its_partitions_go_on(embedded: Settings) -> None:
    supervisor, sent = _supervised(embedded, hang_after_s=3)
    stopped: list[psutil.Process] = []

    def hang() -> None:
        _until(lambda: len(supervisor.status()) == 2)
        stopped.append(psutil.Process(int(supervisor.status()[0]["pid"])))
        os.kill(stopped[0].pid, signal.SIGSTOP)
        _until(lambda: supervisor.restarts > 0)
        _until(lambda: all(shard.state == "running" for shard in supervisor.watch.shards))

    _run_beside(supervisor, sent, hang)
    assert supervisor.restarts == 1
    assert "no progress for" in str([shard.reason for shard in supervisor.watch.shards])
    psutil.wait_procs(stopped, timeout=10)
    assert not stopped[0].is_running()
