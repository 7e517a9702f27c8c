"""Fuzzed records on a real Kafka: every one a reader may see ends once, as an event or as a dead letter."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import polars as pl
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from kolray.benchmarks.fuzz.mutations import MUTATIONS, Verdict
from kolray.benchmarks.fuzz.pool import FuzzRegistry, Pool
from kolray.benchmarks.fuzz.reading import visible
from kolray.benchmarks.fuzz.run import run
from kolray.clock import SystemClock
from kolray.settings import Settings
from kolray.stream.decode import BatchDecoder
from kolray.stream.fetch import BatchFetcher

pytestmark = pytest.mark.local


def test_every_fuzzed_record_ends_exactly_once(local_servers: Settings) -> None:
    report = run(local_servers, n_records=100_000, seed=1)
    assert report.right, report
    assert report.records == report.events + report.dead_letters == 100_000
    assert report.aborted > 0
    assert report.damaged_batches > 0
    assert report.damaged_records > 0
    got = {name: report.by_mutation[name] for name in MUTATIONS}
    wanted: dict[Verdict, tuple[bool, bool]] = {"event": (True, False), "dead_letter": (False, True)}
    for name, mutation in MUTATIONS.items():
        if mutation.verdict in wanted:
            assert (got[name][0] > 0, got[name][1] > 0) == wanted[mutation.verdict], name


@pytest.fixture
def compacted(local_servers: Settings) -> Iterator[str]:
    """A topic of one partition on a broker that compacts at once."""
    admin = AdminClient({"bootstrap.servers": local_servers.kafka.bootstrap})
    name = f"compacted-{secrets.token_hex(4)}"
    config = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.0"}
    _broker_config(admin, AlterConfigOpType.SET)
    admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(30)
    yield name
    admin.delete_topics([name])[name].result(30)
    _broker_config(admin, AlterConfigOpType.DELETE)


def _broker_config(admin: AdminClient, change: AlterConfigOpType) -> None:
    backoff = ConfigEntry("log.cleaner.backoff.ms", "200", incremental_operation=change)
    [node] = admin.list_topics(timeout=30).brokers
    resource = ConfigResource(ResourceType.BROKER, str(node), incremental_configs=[backoff])
    admin.incremental_alter_configs([resource])[resource].result(30)


def test_gaps_that_compaction_left_inside_batches_cost_nothing(local_servers: Settings, compacted: str) -> None:
    """Keys repeat, so compaction takes records out of the middle of batches."""
    pool = Pool("social", seed=1)
    names = [name for name in pool.names if MUTATIONS[name].weight == 1 and name not in {"null_key", "null_value"}]
    made = Producer({"bootstrap.servers": local_servers.kafka.bootstrap, "linger.ms": 50, "compression.type": "zstd"})
    sent = 3_000
    for number in range(sent):
        record = pool.record("plain" if number % 3 else names[number // 3 % len(names)], number)
        made.produce(compacted, record.value, record.key, headers=list(record.headers))
    made.flush(30)
    clock = SystemClock()
    seen = visible(local_servers.kafka, [(compacted, 0)])
    number = sent
    while seen.height > sent // 2:  # the newest segment is never compacted: keep rolling it
        clock.sleep(0.2)
        made.produce(compacted, pool.record("plain", number).value, b"kol_000000")
        made.flush(30)
        number += 1
        seen = visible(local_servers.kafka, [(compacted, 0)])
    events, rejected, gaps = [], [], False
    decoder = BatchDecoder(FuzzRegistry())
    fetcher = BatchFetcher(local_servers.kafka, {(compacted, 0): 0}, committed_only=True)
    while not fetcher.caught_up():
        batches = fetcher.poll(1.0)
        gaps |= any(0 < batch.count < batch.last_offset - batch.base_offset + 1 for batch in batches)
        decoded = decoder.decode("social", batches)
        events.append(decoded.frame["offset"])
        rejected.append(decoded.rejected["offset"])
    fetcher.close()
    assert gaps
    ended = pl.concat([*events, *rejected]).sort()
    assert ended.to_list() == visible(local_servers.kafka, [(compacted, 0)])["offset"].to_list()
