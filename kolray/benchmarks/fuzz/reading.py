"""What an independent client sees of a topic: the measure of what the stream must account for."""

from __future__ import annotations

import polars as pl

from kolray.connectors.reading import Place, committed
from kolray.schemas.registry import FileRegistry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.settings import KafkaSettings


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
