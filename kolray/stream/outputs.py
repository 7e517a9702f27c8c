"""Publishes what a snapshot holds back: alerts, dead letters and late events, each exactly once.

On a broker whose transactions hold, one Kafka transaction carries the records and the snapshot's number (as metadata
of a committed offset), so a restart knows whether it happened. The embedded broker shows open transactions to readers
and drops that metadata; there a restart reads back which identities are published already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import polars as pl
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, ProducerFencedError
from kafka.structs import OffsetAndMetadata

from kolray.errors import FencedError, ServiceUnavailableError
from kolray.events import ALERTS_TOPIC, DLQ_TOPIC, LATE_TOPIC, SOCIAL_TOPIC, TIME
from kolray.schemas.registry import Registry
from kolray.schemas.wire import decode_value, encode_rows, schema_id_of
from kolray.settings import KafkaSettings
from kolray.stores.kafka_access import for_kafka_python
from kolray.stream.fetch import BatchFetcher
from kolray.stream.snapshot import Snapshot
from kolray.stream.values import records_of

GROUP = "kolray-stream"
TOPIC_OF = {"alerts": ALERTS_TOPIC, "dead_letters": DLQ_TOPIC, "late": LATE_TOPIC}
IDENTITY: dict[str, tuple[str, ...]] = {
    "alerts": ("alert_id",),
    "dead_letters": ("topic", "partition", "offset"),
    "late": ("topic", "partition", "offset"),
}
MOST_BYTES = 262_144
"""Longest key or value a dead letter carries: with both, it stays below what brokers take by default (1 MiB)."""
LATEST_MS = 253_402_300_799_999
"""The end of the year 9999: what reads a dead letter makes a date of its time."""


class Publisher(Protocol):
    """Publishes the outputs of one partition's snapshots."""

    def open(self) -> None:
        """Fences every earlier owner of the partition."""
        ...

    def unpublished(self, snapshot: Snapshot) -> dict[str, pl.DataFrame]:
        """What of the outputs of a former owner's snapshot is not in the topics; ask once that owner is fenced."""
        ...

    def publish(self, snapshot: Snapshot) -> None:
        """Publishes ``snapshot.outputs``.

        Raises:
            FencedError: a newer owner exists.
        """
        ...

    def close(self) -> None: ...


class _KafkaPublisher:
    """What both ways share: the producer, fenced by its transactional id, and the encoding.

    Args:
        topics: the topic of each output.
        name: begins the transactional id and is the group whose offset carries the snapshot's number.
        producer, consumer: make the clients; the simulation gives its own.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        registry: Registry,
        partition: int,
        topics: Mapping[str, str] = TOPIC_OF,
        name: str = GROUP,
        producer: Callable[..., Any] = KafkaProducer,
        consumer: Callable[..., Any] = KafkaConsumer,
    ) -> None:
        self._kafka, self._registry, self._partition = kafka, registry, partition
        self._topics, self._name = topics, name
        self._make_producer, self._make_consumer = producer, consumer
        self._producer: Any = None

    def open(self) -> None:
        try:
            self._producer = self._make_producer(
                **for_kafka_python(self._kafka),
                transactional_id=f"{self._name}-{self._partition}",
                linger_ms=5,
            )
            self._producer.init_transactions()
        except KafkaError as error:
            raise ServiceUnavailableError("Kafka", self._kafka.bootstrap, "start it with `kolray up`") from error

    def publish(self, snapshot: Snapshot) -> None:
        place = TopicPartition(SOCIAL_TOPIC, self._partition)
        done = OffsetAndMetadata(
            snapshot.offsets["social"], json.dumps({"e": snapshot.epoch, "n": snapshot.number}), -1
        )
        try:
            self._producer.begin_transaction()
            for name, frame in snapshot.outputs.items():
                for value, key in zip(self._encode(TOPIC_OF[name], frame), _keys(name, frame), strict=True):
                    self._producer.send(self._topics[name], value=value, key=key)
            self._producer.send_offsets_to_transaction({place: done}, self._name)
            self._producer.commit_transaction()
        except ProducerFencedError as error:
            raise FencedError(f"partition {self._partition} has a newer owner; this one stops") from error
        except KafkaError as error:
            raise ServiceUnavailableError("Kafka", self._kafka.bootstrap, f"a transaction failed: {error}") from error

    def _encode(self, topic: str, frame: pl.DataFrame) -> list[bytes]:
        return encode_rows(topic, self._registry.id_for(topic), frame)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close()


class TransactionalPublisher(_KafkaPublisher):
    """Exactly once by the broker's transactions."""

    def unpublished(self, snapshot: Snapshot) -> dict[str, pl.DataFrame]:
        return snapshot.outputs if self._committed() < (snapshot.epoch, snapshot.number) else {}

    def _committed(self) -> tuple[int, int]:
        """Epoch and number of the snapshot whose outputs were published last: after a reset numbers start anew."""
        consumer = self._make_consumer(**for_kafka_python(self._kafka), group_id=self._name, enable_auto_commit=False)
        try:
            committed = consumer.committed(TopicPartition(SOCIAL_TOPIC, self._partition), metadata=True)
        except KafkaError as error:
            advice = f"the committed offsets cannot be read: {error}"
            raise ServiceUnavailableError("Kafka", self._kafka.bootstrap, advice) from error
        finally:
            consumer.close()
        done = json.loads(committed.metadata) if committed and committed.metadata else {"e": -1, "n": -1}
        return done.get("e", -1), done["n"]


class ReadBackPublisher(_KafkaPublisher):
    """For a broker without usable transactions: reads back what the topics hold before it repeats anything."""

    def unpublished(self, snapshot: Snapshot) -> dict[str, pl.DataFrame]:
        missing = {}
        for name, frame in snapshot.outputs.items():
            identity = list(IDENTITY[name])
            held = self._held(self._topics[name], identity) if frame.height else set()
            rows = [key not in held for key in frame.select(identity).iter_rows()]
            missing[name] = frame.filter(pl.Series(rows, dtype=pl.Boolean))
        return missing

    def _held(self, topic: str, identity: list[str]) -> set[tuple[Any, ...]]:
        fetcher = BatchFetcher(self._kafka, {(topic, p): 0 for p in range(self._kafka.partitions)})
        held = set()
        try:
            while not fetcher.caught_up():
                for batch in fetcher.poll(1.0):
                    for value in records_of(batch)["value"]:
                        row = decode_value(value, self._registry.schema(schema_id_of(value)))
                        held.add(tuple(row[c] for c in identity))
        finally:
            fetcher.close()
        return held


def letters_of(rejected: pl.DataFrame) -> pl.DataFrame:
    """Rejects (``REJECTED``) as dead letters: a key or value beyond ``MOST_BYTES`` is cut, and the reason says so.

    A record may be larger than any the dead-letter topic takes, most of all one that was compressed. ``at`` is its
    Kafka timestamp; a damaged one that no calendar knows becomes 1970.
    """
    largest = rejected.select(pl.max_horizontal(pl.col("key", "value").bin.size().max())).item() or 0
    at = pl.when(pl.col("kafka_ms").is_between(0, LATEST_MS)).then("kafka_ms").otherwise(0).cast(TIME).alias("at")
    letters = rejected.select("topic", "partition", "offset", "reason", "key", "value", at)
    return letters if largest <= MOST_BYTES else _cut(letters)


def _cut(letters: pl.DataFrame) -> pl.DataFrame:
    reason = pl.col("reason")
    for name in ("key", "value"):
        size = pl.col(name).bin.size()
        cut = pl.format(f"; {name} cut from {{}} to {MOST_BYTES} bytes", size)
        reason += pl.when(size > MOST_BYTES).then(cut).otherwise(pl.lit(""))
    return letters.with_columns(reason, pl.col("key", "value").bin.head(MOST_BYTES))


def _keys(name: str, frame: pl.DataFrame) -> list[bytes]:
    """Alerts and late events stay in order per KOL, dead letters per place."""
    if name == "dead_letters":
        return [f"{topic}-{number}".encode() for topic, number in frame.select("topic", "partition").iter_rows()]
    return [kol_id.encode() for kol_id in frame["kol_id"].to_list()]


def open_publisher(kafka: KafkaSettings, registry: Registry, partition: int) -> Publisher:
    """The way the settings say the broker allows."""
    kind = TransactionalPublisher if kafka.transactions else ReadBackPublisher
    return kind(kafka, registry, partition)
