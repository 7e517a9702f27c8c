"""The same events to where the stream writes in production: window rows to Cassandra, the newest of them to Redis."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from redis import Redis

from kolray.benchmarks.events import chunks
from kolray.benchmarks.stream.engine import Work
from kolray.benchmarks.stream.throughput import run_engine, send_all
from kolray.benchmarks.topics import temporary_topics
from kolray.errors import SettingsError
from kolray.settings import RedisSettings, Settings
from kolray.stores.cassandra import CassandraStore
from kolray.stores.features import FeatureStore

SCRATCH_DB = 15
"""The Redis database the bench writes to and empties afterwards."""


@dataclass(frozen=True)
class StoresFigures:
    """From when the processes are up until every row is durable. CPU is the stream's own, not the servers'."""

    stores_events_per_second: int
    stores_events_per_cpu_second: int
    stores_rows: int


def stores(settings: Settings, n_events: int, shards: int, n_kols: int = 2000, seed: int = 11) -> StoresFigures:
    """Produces events into topics of its own, and their rows into a keyspace and a Redis database of its own.

    Raises:
        SettingsError: the metrics store is not Cassandra.
    """
    suffix = f".bench-{uuid.uuid4().hex[:8]}"
    kafka = settings.kafka
    with _scratch(settings) as (metrics_url, redis_url):
        work = Work(kafka.bootstrap, kafka.partitions, suffix, "", shards=shards)
        with temporary_topics(kafka, list(work.topics.values())):
            send_all(work, chunks(n_events, n_kols, seed))
            measured = run_engine(replace(work, metrics_url=metrics_url, redis_url=redis_url))
    counters = json.loads(measured.last)
    wall_s, cpu_s = measured.between("@ready")
    return StoresFigures(
        stores_events_per_second=round(counters["events"] / wall_s),
        stores_events_per_cpu_second=round(counters["events"] / cpu_s),
        stores_rows=counters["windows"],
    )


@contextmanager
def _scratch(settings: Settings) -> Iterator[tuple[str, str]]:
    """A keyspace and a Redis database that are gone afterwards."""
    if not settings.metrics_url.startswith("cassandra://"):
        raise SettingsError("this part of the bench needs Cassandra: use the servers of `kolray up --profile local`")
    keyspace = f"bench_{uuid.uuid4().hex[:8]}"
    metrics_url = urlunsplit(urlsplit(settings.metrics_url)._replace(path=f"/{keyspace}"))
    redis_url = urlunsplit(urlsplit(settings.redis.url)._replace(path=f"/{SCRATCH_DB}"))
    store, redis = CassandraStore(metrics_url), Redis.from_url(redis_url)
    if redis.dbsize():
        raise SettingsError(f"database {SCRATCH_DB} of {settings.redis.url} is in use; the bench would empty it")
    store.migrate()
    FeatureStore(RedisSettings(url=redis_url)).filled()  # a refill of nothing is no part of the work
    try:
        yield metrics_url, redis_url
    finally:
        redis.flushdb()
        redis.close()
        store.drop()
        store.close()
