"""Opens the stores the settings name."""

from __future__ import annotations

from urllib.parse import urlsplit

from kolray.errors import SettingsError
from kolray.settings import RedisSettings, Settings
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import MetricsStore
from kolray.stores.redis_connection import RedisConnection


def open_metrics_store(settings: Settings) -> MetricsStore:
    """By the scheme of ``KOLRAY_METRICS__URL``: ``sqlite:///PATH`` or ``cassandra://HOST[,HOST]:PORT/KEYSPACE``."""
    url = settings.metrics_url
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        from kolray.stores.sqlite import SqliteStore

        return SqliteStore(url.removeprefix("sqlite:///"))
    if scheme == "cassandra":
        from kolray.stores.cassandra import CassandraStore
        from kolray.stores.cassandra_access import identity

        return CassandraStore(url, settings.metrics.cassandra_replication, identity(settings.metrics))
    raise SettingsError(f"KOLRAY_METRICS__URL {url!r}: use sqlite:///PATH or cassandra://HOST:PORT/KEYSPACE")


def open_feature_store(redis: RedisSettings, connection: RedisConnection | None = None) -> FeatureStore:
    """Redis at ``KOLRAY_REDIS__URL``; without a ``connection``, as patiently as a writer needs."""
    return FeatureStore(redis, connection)
