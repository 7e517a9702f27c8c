"""Shards that hang or lose their store, on real servers: replaced or waited for, never wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import psutil
import pytest

from kolray import local
from kolray.clock import SystemClock
from kolray.connectors.generator import WorldConfig, build_world
from kolray.lake.world import send_world
from kolray.local.process import RunFolder
from kolray.settings import Settings
from kolray.stores.metrics import SCORE_SCHEMA
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.actors import Supervisor
from kolray.stream.status import totals
from tests.beside import run_beside
from tests.waiting import until

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.embedded]

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
SCORE = ("kol_000001", "trust:1", AS_OF, 70.0, 60.0, 80.0, 0.3, AS_OF, 0.5, "{}")


def _supervised(settings: Settings, **changes: object) -> tuple[Supervisor, int]:
    """A run without end over a small world, and the records it holds."""
    stream = settings.stream.model_copy(update={"checkpoint_interval_s": 0.3, **changes})
    world = build_world(WorldConfig(n_kols=100, hours=12, seed=5, end=datetime.now(UTC)))
    return Supervisor(settings.model_copy(update={"stream": stream})), send_world(settings, world)


def _run_beside(supervisor: Supervisor, sent: int, act: Callable[[], None]) -> None:
    """Runs until ``act`` is over and every record was read."""

    def all_read() -> bool:
        counts = totals(supervisor.status())
        return counts["events"] + counts["rejected"] >= sent

    def act_and_wait() -> None:
        act()
        until("every record is read", all_read)

    run_beside(supervisor, act_and_wait)
    assert totals(supervisor.status())["events"] + totals(supervisor.status())["rejected"] == sent


def test_a_hung_shard_is_replaced_and_its_partitions_go_on(embedded: Settings) -> None:
    supervisor, sent = _supervised(embedded, hang_after_s=3)
    stopped: list[psutil.Process] = []

    def hang() -> None:
        until("both shards run", lambda: len(supervisor.status()) == 2)
        stopped.append(psutil.Process(int(supervisor.status()[0]["pid"])))
        os.kill(stopped[0].pid, signal.SIGSTOP)
        until("the hung shard is replaced", lambda: supervisor.restarts > 0)
        until("all shards run", lambda: all(shard.state == "running" for shard in supervisor.watch.shards))

    _run_beside(supervisor, sent, hang)
    assert supervisor.restarts == 1
    assert "no progress for" in str([shard.reason for shard in supervisor.watch.shards])
    psutil.wait_procs(stopped, timeout=10)
    assert not stopped[0].is_running()


def test_a_store_that_is_away_for_long_is_waited_for_and_is_not_a_hang(embedded: Settings) -> None:
    supervisor, sent = _supervised(embedded, hang_after_s=3)
    locker = sqlite3.connect(embedded.metrics_url.removeprefix("sqlite:///"), check_same_thread=False)

    def lock() -> None:
        locker.execute("BEGIN IMMEDIATE")  # no shard can write from here on
        until("a shard runs", lambda: any(shard.state == "running" for shard in supervisor.watch.shards))
        SystemClock().sleep(10)
        locker.rollback()

    _run_beside(supervisor, sent, lock)
    locker.close()
    assert supervisor.restarts == 0


def test_a_redis_that_lost_its_memory_is_filled_again_while_the_stream_runs(embedded: Settings) -> None:
    supervisor, sent = _supervised(embedded)
    live = open_feature_store(embedded.redis)
    store = open_metrics_store(embedded)

    def lose() -> None:
        until("a window closes", lambda: totals(supervisor.status())["windows"] > 0)
        until("the store has a window", lambda: any(rows.height for rows in store.scan_windows()))
        store.upsert_scores(pl.DataFrame([SCORE], schema=SCORE_SCHEMA, orient="row"))
        [redis] = [running for running in RunFolder(embedded.home).running() if running.name == "redis"]
        for process in psutil.Process(redis.pid).children():
            process.kill()
        until("Redis ends", lambda: not redis.alive())
        local.start_again("redis", embedded.home, os.getpid())
        until("Redis has its score again", lambda: live.get_score("kol_000001") is not None)

    _run_beside(supervisor, sent, lose)
    held = dict(zip(SCORE_SCHEMA, SCORE, strict=True))
    del held["features"]
    assert live.get_score("kol_000001") == held
    assert live.rankings("trust").rows == [("kol_000001", 60.0, None, None)]
    closed = pl.concat(store.scan_windows()).sort("window_start").unique(["kol_id", "window"], keep="last")
    held = {(kol, row["window"]): row for kol in closed["kol_id"].unique() for row in live.get_live(kol)}
    newest = {(row["kol_id"], row["window"]): row["window_start"] for row in closed.to_dicts()}
    assert {key: held[key]["window_start"] for key in newest} == newest
    assert supervisor.restarts == 0
    store.close()
    live.close()
