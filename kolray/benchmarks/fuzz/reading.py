"""What an independent client sees of a topic: the measure of what the stream must account for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import polars as pl
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from kolray.errors import ServiceUnavailableError
from kolray.schemas.registry import FileRegistry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.settings import KafkaSettings

SLICE = 10_000
Place = tuple[str, int]
"""Topic and partition."""


def committed(kafka: KafkaSettings, places: list[Place]) -> Iterator[Message]:
    """Every record of committed transactions and outside of any, up to each log's end."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": f"fuzz-{uuid.uuid4().hex}",
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


def visible(kafka: KafkaSettings, places: list[Place]) -> pl.DataFrame:
    """``topic, partition, offset, nth`` of every visible record, ``nth`` counting within its partition."""
    rows = [(m.topic(), m.partition(), m.offset()) for m in committed(kafka, places)]
    schema = {"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("topic", "partition", "offset")
    return frame.with_columns(nth=pl.int_range(pl.len()).over("topic", "partition"))


def dead_letters(kafka: KafkaSettings, topic: str) -> pl.DataFrame:
    """``topic, partition, offset, reason`` as the letters of a topic say."""
    registry = FileRegistry()
    schema = {"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64, "reason": pl.String}
    rows = []
    for message in committed(kafka, [(topic, number) for number in range(kafka.partitions)]):
        value = message.value() or b""
        row = decode_value(value, registry.schema(schema_id_of(value)))
        rows.append([row[name] for name in schema])
    return pl.DataFrame(rows, schema=schema, orient="row")
