"""Reads topics from their beginning to their end, as any consumer of committed transactions sees them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from kolray.errors import ServiceUnavailableError
from kolray.settings import KafkaSettings
from kolray.stores.kafka_access import for_librdkafka

SLICE = 10_000
Place = tuple[str, int]
"""Topic and partition."""


def committed(kafka: KafkaSettings, places: list[Place]) -> Iterator[Message]:
    """Every record of committed transactions and outside of any, up to each log's end.

    Raises:
        ServiceUnavailableError: the broker refuses, or has no such topic.
    """
    consumer = Consumer(
        for_librdkafka(kafka)
        | {
            "group.id": f"kolray-{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(*place, 0) for place in places])
    left = set(places)
    try:
        while left:
            for message in consumer.consume(SLICE, 1.0):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard((str(message.topic()), int(message.partition() or 0)))
                else:
                    raise ServiceUnavailableError("Kafka", kafka.bootstrap, str(error))
    finally:
        consumer.close()
