"""Many events at once: whole record batches are made by the column and sent by kafka-python's own sender.

One Python call a record costs more than encoding, hashing, compressing and sending it. So batches are built apart and
put into the library's accumulator as if it had filled them. What is hard stays the library's: leaders, producer ids,
sequence numbers, order, retries that the broker knows as such, throttling. The seam is held by tests, the pin is exact.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import polars as pl
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.producer.producer_batch import ProducerBatch

from kolray.clock import SystemClock, to_ms
from kolray.connectors.producer import DELIVERY_S, Delivered
from kolray.connectors.record_batches import Built, record_batches
from kolray.errors import ServiceUnavailableError
from kolray.events import RAW_TOPICS, Kind
from kolray.schemas.columns import AvroColumns, Ints
from kolray.schemas.registry import Registry, packaged_schema
from kolray.settings import KafkaSettings
from kolray.stores.kafka_access import for_kafka_python

HELD_BYTES = 64 << 20
"""Compressed bytes that wait for the broker; who sends more waits."""


class BulkProducer:
    """Sends frames of events; idempotent where the broker is. Every one is acknowledged, or ``flush`` raises.

    Args:
        topics: the topic of each kind of event.
    """

    def __init__(self, kafka: KafkaSettings, registry: Registry, topics: Mapping[Kind, str] = RAW_TOPICS) -> None:
        self._kafka, self._registry, self._topics = kafka, registry, dict(topics)
        self._ids: dict[Kind, int] = {}
        self._changed = threading.Condition()
        self._waiting = self._count = 0
        self._ends: dict[tuple[str, int], int] = {}
        self._errors: list[Exception] = []
        try:
            self._producer = KafkaProducer(
                **for_kafka_python(kafka),
                enable_idempotence=kafka.transactions,
                acks="all",
                max_in_flight_requests_per_connection=1,  # order is kept without idempotence too
                max_request_size=8 << 20,
                linger_ms=0,
                delivery_timeout_ms=int(DELIVERY_S * 1000),
                bootstrap_timeout_ms=10_000,
                max_block_ms=int(DELIVERY_S * 1000),  # for what a topic's partitions are
                metrics_enabled=False,
            )
        except KafkaError as error:
            raise ServiceUnavailableError("Kafka", kafka.bootstrap, "start it with `kolray up`") from error
        # The library would take a batch that is too large apart and fill others, of which we would not hear.
        self._producer._sender._can_split = lambda *_: False

    def send(self, kind: Kind, frame: pl.DataFrame, timestamps_ms: pl.Series | None = None) -> None:
        """Hands over events with the columns of ``SCHEMAS[kind]``; waits while too many are on their way.

        Args:
            timestamps_ms: Kafka timestamps in ms, one a row; none: now.

        Raises:
            SchemaError: an event lacks what each must have; none of the frame is sent.
            ServiceUnavailableError: the topic is not there, or the broker is not.
        """
        if frame.is_empty():
            return
        if kind not in self._ids:
            self._ids[kind] = self._registry.id_for(RAW_TOPICS[kind])
        columns = AvroColumns.of(frame, packaged_schema(RAW_TOPICS[kind]))
        for batch in record_batches(columns, _times(timestamps_ms, frame), self._ids[kind], self._partitions(kind)):
            self._put(self._topics[kind], batch)

    def flush(self, timeout_s: float = DELIVERY_S + 10) -> Delivered:
        """Returns when the broker acknowledged everything sent so far.

        Raises:
            ServiceUnavailableError: it did not, within ``timeout_s`` or at all; nothing is silently lost.
        """
        with self._changed:
            done = self._changed.wait_for(lambda: not self._waiting, timeout_s)
            if not done or self._errors:
                why = str(self._errors[0]) if self._errors else f"{self._waiting:,} bytes were not acknowledged"
                raise ServiceUnavailableError("Kafka", self._kafka.bootstrap, f"{why}; start it with `kolray up`")
            return Delivered(self._count, dict(self._ends))

    def close(self) -> None:
        """Ends its thread; what was not acknowledged may be lost."""
        with suppress(KafkaError):  # what it could not send, ``flush`` has told
            self._producer.close(timeout=1)

    def _partitions(self, kind: Kind) -> int:
        try:
            return len(self._producer.partitions_for(self._topics[kind]))
        except KafkaError as error:
            raise ServiceUnavailableError("Kafka", self._kafka.bootstrap, f"{self._topics[kind]}: {error}") from error

    def _put(self, topic: str, built: Built) -> None:
        """As ``RecordAccumulator.append`` does with a batch that it has just filled."""
        place, size = TopicPartition(topic, built.partition), built.records.size_in_bytes()
        with self._changed:
            self._changed.wait_for(lambda: self._waiting == 0 or self._waiting + size <= HELD_BYTES)
            self._waiting += size
        batch, accumulator = ProducerBatch(place, built.records), self._producer._accumulator
        batch.produce_future.add_callback(self._done, place, built.count, size)
        with accumulator._tp_lock(place):
            accumulator._batches[place].append(batch)
            accumulator._incomplete.add(batch)
        self._producer._sender.wakeup()

    def _done(self, place: TopicPartition, count: int, size: int, result: tuple[int, int, object]) -> None:
        """In the sender's thread. What failed has a function that says why, what was known already no offset."""
        base_offset, _, failure = result
        with self._changed:
            self._waiting -= size
            if callable(failure):
                self._errors.append(failure(0))
            else:
                self._count += count
                key = (place.topic, place.partition)
                self._ends[key] = max(self._ends.get(key, 0), base_offset + count if base_offset >= 0 else 0)
            self._changed.notify_all()


def _times(timestamps_ms: pl.Series | None, frame: pl.DataFrame) -> Ints:
    if timestamps_ms is None:
        return np.full(frame.height, to_ms(SystemClock().now()), np.int64)
    return np.ascontiguousarray(timestamps_ms.cast(pl.Int64).to_numpy())
