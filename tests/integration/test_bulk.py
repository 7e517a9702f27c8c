"""Bulk producing to a real broker: what is acknowledged is there, what is refused is told."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import polars as pl
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from kolray.benchmarks.ingest.producing import make_events, read_ids
from kolray.connectors.bulk import BulkProducer
from kolray.errors import ServiceUnavailableError
from kolray.schemas.registry import FileRegistry
from kolray.settings import Settings


def test_all_that_is_acknowledged_is_there(embedded: Settings) -> None:
    with closing(BulkProducer(embedded.kafka, FileRegistry())) as producer:
        for kind, frame in make_events(4_000, seed=3):
            producer.send(kind, frame)
        told = producer.flush()
        assert told.count == sum(told.ends.values()) == read_ids(embedded.kafka).n_unique() == 4_000


@pytest.mark.local
def test_a_record_too_large_for_the_broker_is_told(local_servers: Settings) -> None:
    [(kind, frame), *_] = make_events(4_000, seed=4)
    noise = "".join(map(chr, np.random.default_rng(1).integers(0x4E00, 0x9FFF, 900_000)))
    # of its own: the stream of another test reads the usual ones
    topic = "bulk.too.large"
    admin = AdminClient({"bootstrap.servers": local_servers.kafka.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    with closing(BulkProducer(local_servers.kafka, FileRegistry(), {kind: topic})) as producer:
        producer.send(kind, frame.head(3).with_columns(text=pl.Series([None, noise, None])))
        with pytest.raises(ServiceUnavailableError, match="TooLarge"):
            producer.flush()
