"""``kolray bench stream`` on real servers, small: every row is right, and every part gives its figures."""

from __future__ import annotations

import pytest

from kolray.benchmarks.stream.stores import stores
from kolray.benchmarks.stream.throughput import throughput
from kolray.errors import SettingsError
from kolray.settings import Settings


@pytest.mark.local
def test_every_row_in_the_topic_equals_the_batch_computation(local_servers: Settings) -> None:
    found = throughput(local_servers.kafka, n_events=100_000, shards=2, n_kols=300)
    assert (found.events, found.rows_wrong) == (100_000, 0)
    assert found.rows > 1000
    assert found.events_per_second > 0
    assert found.peak_rss_mb > 0


@pytest.mark.local
def test_the_stores_get_their_rows_and_the_scratch_space_is_gone(local_servers: Settings) -> None:
    found = stores(local_servers, n_events=20_000, shards=1, n_kols=100)
    assert found.stores_rows > 100
    assert found.stores_events_per_cpu_second > 0
    assert stores(local_servers, n_events=10_000, shards=1, n_kols=50).stores_rows > 0  # the database was emptied


@pytest.mark.embedded
def test_the_stores_part_needs_cassandra(embedded: Settings) -> None:
    with pytest.raises(SettingsError, match="needs Cassandra"):
        stores(embedded, n_events=10_000, shards=1)
