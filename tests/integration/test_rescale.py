"""Two shards, then three, then one: partitions take their state along, and every row is that of a batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from kolray.clock import SystemClock
from kolray.connectors.generator import EventBatch, WorldConfig, batches, build_world
from kolray.connectors.producer import EventProducer
from kolray.demo.topics import count_records
from kolray.events import ALERTS_TOPIC, DLQ_TOPIC, LATE_TOPIC
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.tables import LakeTables
from kolray.lake.verify import verify
from kolray.models.sentiment import default_classifier
from kolray.schemas.registry import FileRegistry
from kolray.settings import Settings
from kolray.stores.open import open_metrics_store
from kolray.stream.actors import Supervisor
from kolray.stream.status import totals
from tests.beside import run_beside

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.embedded]


def _send(settings: Settings, parts: list[EventBatch]) -> int:
    producer = EventProducer(settings.kafka, FileRegistry())
    for part in parts:
        producer.send("social", part.social, part.social_ms)
        producer.send("web", part.web, part.web_ms)
        for record in part.raw:
            producer.send_raw(record.topic, record.key, record.value, record.headers, record.timestamp_ms)
    return producer.flush().count


def _supervisor(settings: Settings, shards: int, *, until_end: bool) -> Supervisor:
    # The world's Kafka timestamps are its own times: the silence between the parts must not be measured against them.
    changes = {"shards": shards, "checkpoint_interval_s": 0.3, "idle_after_s": 86_400}
    stream = settings.stream.model_copy(update=changes)
    return Supervisor(
        settings.model_copy(update={"stream": stream}), until_end=until_end, classifier=default_classifier
    )


def _read(supervisor: Supervisor, sent: int) -> list[set[int]]:
    """Runs until ``sent`` records are read and in a checkpoint; returns the partitions of each shard."""
    clock, placed = SystemClock(), []

    def until_read() -> None:
        limit = clock.monotonic() + 120
        seen = -1
        while clock.monotonic() < limit:
            counts = totals(supervisor.status())
            numbers = sum(p["checkpoint"] for status in supervisor.status() for p in status["partitions"].values())
            if counts["events"] + counts["rejected"] >= sent:
                if seen >= 0 and numbers >= seen + 8:  # each partition took another one since
                    break
                seen = numbers if seen < 0 else seen
            clock.sleep(0.1)
        placed.extend(set(status["partitions"]) for status in supervisor.status())

    run_beside(supervisor, until_read)
    return sorted(placed, key=min)


def test_partitions_keep_their_state_when_shards_become_more_and_fewer(embedded: Settings) -> None:
    end = datetime.now(UTC) - timedelta(hours=6)
    hours = list(batches(build_world(WorldConfig(n_kols=100, hours=12, seed=6, end=end))))
    sent = _send(embedded, hours[:4])
    assert _read(_supervisor(embedded, 2, until_end=False), sent) == [{0, 2}, {1, 3}]
    sent += _send(embedded, hours[4:8])
    assert _read(_supervisor(embedded, 3, until_end=False), sent) == [{0, 3}, {1}, {2}]
    sent += _send(embedded, hours[8:])
    last = _supervisor(embedded, 1, until_end=True)
    counts = totals(last.run())
    last.close()
    assert counts["events"] + counts["rejected"] == sent
    assert count_records(embedded.kafka, DLQ_TOPIC) == counts["rejected"] > 0
    assert count_records(embedded.kafka, LATE_TOPIC) == counts["late"]
    assert count_records(embedded.kafka, ALERTS_TOPIC) == counts["alerts"]
    run_bronze(embedded)
    store = open_metrics_store(embedded)
    verdict = verify(LakeTables(embedded.lake_root), store, embedded.stream.windows, default_classifier())
    windows = pl.concat(store.scan_windows())
    store.close()
    assert verdict.differences.is_empty(), verdict.differences.head(10)
    assert verdict.windows == windows.height > 1_000
