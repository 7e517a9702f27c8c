"""The seam in kafka-python's fetcher, held on a real broker: it sees what the library's own consumer sees."""

from __future__ import annotations

import secrets
import time

import polars as pl
import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer

from kolray.errors import CheckpointError
from kolray.settings import KafkaSettings, Settings
from kolray.stream.fetch import BatchFetcher
from kolray.stream.values import records_of

T0 = int(time.time()) * 1000 - 3_600_000
"""An hour ago: a broker's retention deletes what is older than a week."""
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@pytest.fixture
def kafka(local_servers: Settings) -> KafkaSettings:
    return local_servers.kafka


@pytest.fixture
def topic(kafka: KafkaSettings) -> str:
    """An empty topic of one partition."""
    name = f"fetch-{secrets.token_hex(4)}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    return name


def producer(kafka: KafkaSettings, **more: str | int) -> Producer:
    return Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 50, **more})


def produce(made: Producer, topic: str, first: int, count: int) -> None:
    for i in range(first, first + count):
        made.produce(topic, key=f"k{i}", value=f"value {i} " * 3, timestamp=T0 + i)
    made.flush(30)


def fetched(kafka: KafkaSettings, topic: str, start: int = 0, *, committed_only: bool = False) -> pl.DataFrame:
    """Every record from an offset to the log's end."""
    fetcher = BatchFetcher(kafka, {(topic, 0): start}, committed_only=committed_only)
    parts = []
    while not fetcher.caught_up():
        parts += [records_of(batch) for batch in fetcher.poll(1.0)]
    assert fetcher.positions() == {(topic, 0): fetcher._consumer.highwater(fetcher._partitions[0])}
    fetcher.close()
    return pl.concat(parts) if parts else pl.DataFrame()


def poll_often(fetcher: BatchFetcher) -> None:
    for _ in range(20):
        fetcher.poll(0.5)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_and_any_offset(kafka: KafkaSettings, topic: str, codec: str) -> None:
    produce(producer(kafka, **{"compression.type": codec}), topic, 0, 3000)
    rows = fetched(kafka, topic)
    assert rows["offset"].to_list() == list(range(3000))
    assert rows["value"].to_list() == [f"value {i} ".encode() * 3 for i in range(3000)]
    assert rows["key"][2999] == b"k2999"
    assert rows["kafka_ms"].to_list() == [T0 + i for i in range(3000)]
    for middle in (1, 1234, 2999):
        assert fetched(kafka, topic, middle)["offset"].to_list() == list(range(middle, 3000))


def test_transactions_are_seen_as_the_isolation_asked_for(kafka: KafkaSettings, topic: str) -> None:
    made = producer(kafka, **{"transactional.id": topic})
    made.init_transactions(30)
    ends = [made.commit_transaction, made.abort_transaction, made.commit_transaction]
    for number, end in enumerate(ends):
        made.begin_transaction()
        produce(made, topic, number * 10, 10)
        end(30)
    committed = fetched(kafka, topic, committed_only=True)
    assert [int(v.split()[1]) for v in committed["value"]] == [*range(10), *range(20, 30)]
    assert committed["offset"].to_list() == [*range(10), *range(22, 32)]
    assert fetched(kafka, topic)["value"].len() == 30


def test_an_open_transaction_is_waited_for_and_is_not_the_end(kafka: KafkaSettings, topic: str) -> None:
    made = producer(kafka, **{"transactional.id": topic})
    made.init_transactions(30)
    made.begin_transaction()
    produce(made, topic, 0, 10)
    fetcher = BatchFetcher(kafka, {(topic, 0): 0}, committed_only=True)
    assert [fetcher.poll(0.3) for _ in range(3)] == [[], [], []]
    assert not fetcher.caught_up()
    made.commit_transaction(30)
    while not (batches := fetcher.poll(1.0)):
        pass
    assert batches[0].count == 10
    fetcher.close()


def test_an_offset_that_is_gone_is_an_error_with_its_name(kafka: KafkaSettings, topic: str) -> None:
    produce(producer(kafka), topic, 0, 10)
    fetcher = BatchFetcher(kafka, {(topic, 0): 5000})
    with pytest.raises(CheckpointError, match=topic):
        poll_often(fetcher)
    fetcher.close()


def test_the_first_records_are_read_though_the_broker_names_a_later_first_offset(
    kafka: KafkaSettings, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the embedded broker does where several producers wrote a partition's first records at once."""
    produce(producer(kafka), topic, 0, 10)
    monkeypatch.setattr(KafkaConsumer, "beginning_offsets", lambda self, places: dict.fromkeys(places, 6))
    assert fetched(kafka, topic)["offset"].to_list() == list(range(10))


def test_whoever_begins_begins_with_what_is_left_and_whoever_goes_on_is_told_what_is_gone(
    kafka: KafkaSettings, topic: str
) -> None:
    produce(producer(kafka), topic, 0, 10)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_records([Place(topic, 0, 6)]).values():
        future.result()
    assert fetched(kafka, topic)["offset"].to_list() == [6, 7, 8, 9]
    fetcher = BatchFetcher(kafka, {(topic, 0): 3})
    with pytest.raises(CheckpointError, match="retention"):
        poll_often(fetcher)
    fetcher.close()
