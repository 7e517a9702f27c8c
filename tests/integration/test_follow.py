"""Continuous bronze: followers are killed while events come, another run reads too, and every record is there once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psutil
import pytest

from kolray import local
from kolray.clock import SystemClock
from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.connectors.producer import EventProducer
from kolray.events import KINDS, Kind, invalid_reason
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.follow import FOLLOW_FILE
from kolray.lake.follow_actors import Followers
from kolray.lake.tables import LakeTables
from kolray.local.process import RunFolder
from kolray.schemas.registry import open_registry
from kolray.settings import Settings
from kolray.stream.actors import Supervisor
from kolray.stream.status import StatusFile, totals
from tests.ray_head import BIN, ray_head
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("cluster")


def rows(settings: Settings, table: str) -> int:
    return int(LakeTables(settings.lake_root).scan(table).select(pl.len()).collect().item())


def all_arrived(settings: Settings, ids: dict[Kind, pl.Series]) -> bool:
    return all(rows(settings, f"bronze.{kind}") >= len(ids[kind]) for kind in KINDS)


def sent_in_parts(settings: Settings) -> Iterator[dict[Kind, pl.Series]]:
    """Sends an hour of a world at each step; the valid events' ids by kind, so far."""
    world = build_world(WorldConfig(n_kols=60, hours=8, seed=11, end=datetime.now(UTC) - timedelta(hours=6)))
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    ids = {kind: pl.Series("event_id", [], dtype=pl.String) for kind in KINDS}
    for batch in batches(world):
        sides = {"social": (batch.social, batch.social_ms), "web": (batch.web, batch.web_ms)}
        for kind in KINDS:
            events, at = sides[kind]
            producer.send(kind, events, at)
            ahead = events["event_time"].dt.epoch("ms") - at > settings.stream.far_future_s * 1000
            valid = events.filter(invalid_reason(kind).is_null() & ~ahead)
            ids[kind] = pl.concat([ids[kind], valid["event_id"]])
        for record in batch.raw:
            producer.send_raw(record.topic, record.key, record.value, record.headers, record.timestamp_ms)
        producer.flush()
        yield dict(ids)


@contextmanager
def looking(settings: Settings) -> Iterator[Followers]:
    """Followers that are looked after by a thread."""
    followers, stop = Followers(settings), threading.Event()

    def look() -> None:
        while not stop.is_set():
            followers.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield followers
    finally:
        stop.set()
        thread.join()
        followers.stop()


@pytest.mark.embedded
def test_followers_that_are_killed_lose_and_double_nothing(embedded: Settings) -> None:
    lake = embedded.lake.model_copy(update={"follow_s": 0.3, "followers": 2})
    settings = embedded.model_copy(update={"lake": lake})
    killed = set[int]()
    with looking(settings) as followers:
        for number, so_far in enumerate(sent_in_parts(settings)):
            ids = so_far
            if number in {2, 4, 6}:
                until("killed followers are replaced", lambda: len(set(followers.pids.values()) - killed) == 2)
                victim = followers.pids[number // 2 % 2]
                killed.add(victim)
                os.kill(victim, signal.SIGKILL)
            if number == 5:
                run_bronze(settings)  # at the same time, over the same partitions
        counts = totals(Supervisor(settings, until_end=True).run())
        until("every event is in bronze", lambda: all_arrived(settings, ids))
        until("every dead letter is in bronze", lambda: rows(settings, "bronze.dead_letters") >= counts["rejected"])
    assert len(killed) == 3
    tables = LakeTables(settings.lake_root)
    for kind in KINDS:
        held = tables.scan(f"bronze.{kind}").select("event_id", "topic", "partition", "offset").collect()
        assert held["event_id"].sort().equals(ids[kind].sort())
        assert held.select("topic", "partition", "offset").is_unique().all()
    for table, count in (("dead_letters", "rejected"), ("late_events", "late"), ("alerts", "alerts")):
        assert rows(settings, f"bronze.{table}") == counts[count]
    assert run_bronze(settings) == {}


@pytest.mark.local
@pytest.mark.heavy
def test_followers_outlive_a_broker_that_is_killed(own_local: Settings) -> None:
    settings = own_local.model_copy(update={"lake": own_local.lake.model_copy(update={"follow_s": 0.3})})
    with looking(settings):
        for number, so_far in enumerate(sent_in_parts(settings)):
            ids = so_far
            if number == 3:
                until("bronze begins", lambda: rows(settings, "bronze.social") > 0)
                kill_broker(settings)
        until("every event is in bronze", lambda: all_arrived(settings, ids))
    for kind in KINDS:
        held = LakeTables(settings.lake_root).scan(f"bronze.{kind}").select("event_id").collect()
        assert held["event_id"].sort().equals(ids[kind].sort())


def kill_broker(settings: Settings) -> None:
    """Kafka's process is gone at once, stays away for some seconds, and comes back with its log."""
    [watchdog] = [running for running in RunFolder(settings.home).running() if running.name == "kafka"]
    for process in psutil.Process(watchdog.pid).children(recursive=True):
        process.kill()
    until("the watchdog ends", lambda: not watchdog.alive())
    SystemClock().sleep(5)
    local.start_again("kafka", settings.home, os.getpid())


FOLLOW = "from kolray.cli import main; main()"


@pytest.mark.embedded
@pytest.mark.parametrize("sign", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.heavy)])
def test_the_command_ends_cleanly_with_what_came(embedded: Settings, sign: signal.Signals) -> None:
    *_, ids = sent_in_parts(embedded)
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = subprocess.Popen(
        [sys.executable, "-c", FOLLOW, "lake", "bronze", "--follow", "--interval", "0.5", "--json"],
        env=environment | {"KOLRAY_HOME": str(embedded.home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        arrived = len(ids["social"])
        until("all of bronze", lambda: rows(embedded, "bronze.social") == arrived or command.poll() is not None)
        command.send_signal(sign)
        said, _ = command.communicate(timeout=60)
    finally:
        command.kill()
    assert command.returncode == 0
    assert json.loads(said) == {f"bronze.{kind}": len(ids[kind]) for kind in KINDS}
    told = StatusFile(embedded.home, file=FOLLOW_FILE).read()
    assert told is not None
    assert (told["state"], told["rows"]) == ("ended", json.loads(said))


@pytest.mark.embedded
@pytest.mark.heavy
def test_as_a_submitted_job_it_ends_when_the_job_is_stopped(embedded: Settings, tmp_path: Path) -> None:
    *_, ids = sent_in_parts(embedded)
    with ray_head(embedded.home, tmp_path / "head.log") as address:

        def job(*arguments: str) -> str:
            command = [str(BIN / "ray"), "job", arguments[0], "--address", address, *arguments[1:]]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        command = [str(BIN / "kolray"), "lake", "bronze", "--follow", "--interval", "0.5", "--json"]
        job("submit", "--submission-id", "follow", "--no-wait", "--", *command)
        until("every event is in bronze", lambda: all_arrived(embedded, ids))
        job("stop", "follow")
        said = job("logs", "follow")
    assert json.dumps({f"bronze.{kind}": len(ids[kind]) for kind in KINDS}) in said
