"""The run: a seeded world is sent while the stream is struck; then it reads to the end and is compared."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kolray import local
from kolray.benchmarks.chaos.compare import Comparison, compare
from kolray.benchmarks.chaos.plan import plan
from kolray.benchmarks.chaos.strikes import Victim
from kolray.clock import SystemClock
from kolray.connectors.generator import EventBatch, WorldConfig, batches, build_world
from kolray.connectors.producer import EventProducer
from kolray.errors import SettingsError
from kolray.models.sentiment import default_classifier
from kolray.schemas.registry import open_registry
from kolray.settings import Settings
from kolray.stream.status import StatusFile

log = logging.getLogger(__name__)

STREAM = {
    "KOLRAY_STREAM__CHECKPOINT_INTERVAL_S": "1",
    "KOLRAY_STREAM__HANG_AFTER_S": "4",
    "KOLRAY_KAFKA__FETCH_BYTES": "65536",
    # The world's Kafka timestamps are the world's own times: silence must not be measured against them.
    "KOLRAY_STREAM__IDLE_AFTER_S": "86400",
}
"""The stream's settings under chaos: all that takes a minute in production takes seconds."""


@dataclass(frozen=True)
class ChaosReport(Comparison):
    """What was done to the stream, and what the comparison found."""

    kills: int
    by_kind: dict[str, int]
    driver_starts: int
    wall_s: float


def run(settings: Settings, kills: int, seed: int, n_kols: int = 300, hours: int = 24) -> ChaosReport:
    """Strikes ``kills`` times while a world of ``n_kols`` over ``hours`` is sent.

    Raises:
        SettingsError: the servers of this home are not the local profile, or it has streamed before.
    """
    _check(settings)
    clock = SystemClock()
    started = clock.monotonic()
    world = build_world(WorldConfig(n_kols=n_kols, hours=hours, seed=seed, end=_end(clock.now())))
    todo = deque(part for batch in batches(world) for part in quarters(batch))
    total = len(todo)
    strikes = plan(kills, seed)
    victim = Victim(settings.home, _environment(settings), clock, os.getpid())
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    sent = send(producer, todo.popleft())
    producer.flush()  # a topic that never held a record holds no window back
    try:
        for number, strike in enumerate(strikes):
            while todo and total - len(todo) < total * (number + 1) / len(strikes):
                sent += send(producer, todo.popleft())
            victim.ensure_driver()
            clock.sleep(strike.after_s)
            victim.strike(strike)
            log.info("strike %d of %d: %s", number + 1, len(strikes), strike.kind)
        producer.flush()
        victim.ensure_driver()
    finally:
        victim.close()
    log.info("reading to the end")
    counts = _to_the_end(settings)
    log.info("comparing")
    found = compare(settings, sent, counts)
    kinds = [strike.kind for strike in strikes]
    return ChaosReport(
        kills=kills,
        by_kind={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        driver_starts=victim.starts,
        wall_s=round(clock.monotonic() - started, 1),
        **asdict(found),
    )


def _end(now: datetime) -> datetime:
    """A midnight: what alerts must not depend on the hour of the run.

    At least six hours ago, since the world's last events arrive hours late, and a broker refuses the future.
    """
    return (now - timedelta(hours=6)).replace(hour=0, minute=0, second=0, microsecond=0)


def _check(settings: Settings) -> None:
    services = local.status(settings.home)
    if settings.profile != "local" or not services or not all(service.running for service in services):
        raise SettingsError(
            "chaos kills servers, so it needs its own: KOLRAY_HOME=/tmp/chaos kolray up --profile local, "
            "and the same KOLRAY_HOME for the bench"
        )
    if StatusFile(settings.home).read() is not None or Path(settings.checkpoints).exists():
        raise SettingsError(
            f"{settings.home} has streamed before; chaos compares from the first event, so use a new one"
        )


def _environment(settings: Settings) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return inherited | STREAM | {"KOLRAY_HOME": str(settings.home)}


def quarters(batch: EventBatch) -> Iterator[EventBatch]:
    """An hour's arrivals in four parts, so that its two topics advance side by side."""
    for part in range(4):
        social, web = (slice(n * part // 4, n * (part + 1) // 4) for n in (batch.social.height, batch.web.height))
        raw = batch.raw if part == 0 else []
        yield EventBatch(batch.social[social], batch.web[web], batch.social_ms[social], batch.web_ms[web], raw)


def send(producer: EventProducer, batch: EventBatch) -> int:
    """Sends one part; returns its records."""
    producer.send("social", batch.social, batch.social_ms)
    producer.send("web", batch.web, batch.web_ms)
    for record in batch.raw:
        producer.send_raw(record.topic, record.key, record.value, record.headers, record.timestamp_ms)
    return len(batch)


def _to_the_end(settings: Settings) -> dict[str, int]:
    """Reads what is left, closes all windows, and loads the lake; returns the stream's counters."""
    from kolray.lake.bronze_pipeline import run_bronze  # here: only these two need Ray
    from kolray.stream.actors import run_stream

    counts = run_stream(settings, default_classifier, until_end=True)
    run_bronze(settings)
    return counts
