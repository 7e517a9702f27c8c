"""Writes events to the raw topics: Avro in the Confluent wire format, key = kol_id, Java's partitioner."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from confluent_kafka import KafkaError, Message, Producer

from kolray.errors import ServiceUnavailableError
from kolray.events import ALERTS_TOPIC, DLQ_TOPIC, RAW_TOPICS, Kind
from kolray.schemas.registry import Registry
from kolray.schemas.wire import encode_rows
from kolray.settings import KafkaSettings
from kolray.stores.kafka_access import for_librdkafka

POLL_EVERY = 2000
"""Records between looks at delivery reports."""
DELIVERY_S = 300.0
"""How long a record may wait for its broker, as while that is started anew, before it counts as failed."""


@dataclass(frozen=True)
class Delivered:
    """What the broker acknowledged: records, and the next offset of each (topic, partition)."""

    count: int
    ends: dict[tuple[str, int], int]


class EventProducer:
    """An idempotent producer; every record sent is acknowledged or an error is raised by ``flush``.

    Args:
        topics: the topic of each kind of event.
        linger_ms: how long a batch waits for more records.
    """

    def __init__(
        self, kafka: KafkaSettings, registry: Registry, topics: Mapping[Kind, str] = RAW_TOPICS, *, linger_ms: int = 20
    ) -> None:
        self._kafka, self._registry, self._topics = kafka, registry, dict(topics)
        self._ids: dict[str, int] = {}
        self._count = 0
        self._ends: dict[tuple[str, int], int] = {}
        self._errors: list[KafkaError] = []
        self._producer = Producer(
            for_librdkafka(kafka)
            | {
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": linger_ms,
                "batch.size": 262_144,
                "queue.buffering.max.messages": 500_000,
                "enable.idempotence": kafka.transactions,  # the embedded broker accepts only plain producers at speed
                "acks": "all",
                "delivery.timeout.ms": int(DELIVERY_S * 1000),
                "on_delivery": self._delivered,
                "log_level": 0,
            }
        )

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._errors.append(error)
            return
        self._count += 1
        place = (str(message.topic()), int(message.partition() or 0))
        self._ends[place] = max(self._ends.get(place, 0), int(message.offset() or 0) + 1)

    def send(self, kind: Kind, frame: pl.DataFrame, timestamps_ms: pl.Series | None = None) -> None:
        """Queues events with the columns of ``SCHEMAS[kind]``; waits while the queue is full.

        Args:
            timestamps_ms: Kafka timestamps in ms, one a row; none: now.
        """
        topic = self._topics[kind]
        values = encode_rows(RAW_TOPICS[kind], self._schema_id(RAW_TOPICS[kind]), frame)
        self._produce(
            topic, zip(frame["kol_id"].to_list(), values, _or_zeros(timestamps_ms, frame.height), strict=True)
        )

    def send_raw(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]] | None = None,
        timestamp_ms: int = 0,
    ) -> None:
        """Queues one record as it is."""
        self._wait_for_room(lambda: self._producer.produce(topic, value, key, headers=headers, timestamp=timestamp_ms))

    def send_dead_letters(self, frame: pl.DataFrame) -> None:
        """Queues dead letters: ``topic, partition, offset, reason, key, value, at``."""
        keys = frame.select(pl.format("{}-{}", "topic", "partition")).to_series().to_list()
        values = encode_rows(DLQ_TOPIC, self._schema_id(DLQ_TOPIC), frame)
        self._produce(DLQ_TOPIC, zip(keys, values, _or_zeros(None, frame.height), strict=True))

    def send_alerts(self, frame: pl.DataFrame) -> None:
        """Queues alerts (``ALERT_SCHEMA``) that no stream raised; the stream publishes its own in transactions."""
        values = encode_rows(ALERTS_TOPIC, self._schema_id(ALERTS_TOPIC), frame)
        self._produce(ALERTS_TOPIC, zip(frame["kol_id"].to_list(), values, _or_zeros(None, frame.height), strict=True))

    def _produce(self, topic: str, records: Iterable[tuple[Any, bytes, int]]) -> None:
        produce, poll = self._producer.produce, self._producer.poll
        for number, (key, value, at) in enumerate(records):
            try:
                produce(topic, value, key, timestamp=at)
            except BufferError:
                self._wait_for_room(lambda k=key, v=value, t=at: produce(topic, v, k, timestamp=t))
            if number % POLL_EVERY == 0:
                poll(0)

    def _wait_for_room(self, produce: Any) -> None:
        while True:
            try:
                produce()
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _schema_id(self, topic: str) -> int:
        if topic not in self._ids:
            self._ids[topic] = self._registry.id_for(topic)
        return self._ids[topic]

    def flush(self, timeout_s: float = 120) -> Delivered:
        """Returns when the broker acknowledged everything sent so far.

        Raises:
            ServiceUnavailableError: it did not, within ``timeout_s`` or at all; nothing is silently lost.
        """
        deadline = time.monotonic() + timeout_s
        while (left := self._producer.flush(1.0)) and time.monotonic() < deadline:
            continue
        if left or self._errors:
            why = str(self._errors[0]) if self._errors else f"{left} records were not acknowledged"
            raise ServiceUnavailableError("Kafka", self._kafka.bootstrap, f"{why}; start it with `kolray up`")
        return Delivered(self._count, dict(self._ends))


def _or_zeros(timestamps_ms: pl.Series | None, n: int) -> list[int]:
    return [0] * n if timestamps_ms is None else timestamps_ms.to_list()
