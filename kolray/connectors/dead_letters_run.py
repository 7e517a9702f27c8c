"""Reads the letters of ``events.dlq``, and sends mended events to the raw topics."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kolray.connectors.dead_letters import LETTER, Mended
from kolray.connectors.producer import EventProducer
from kolray.connectors.reading import committed
from kolray.events import DLQ_TOPIC, SCHEMAS
from kolray.schemas.registry import open_registry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.settings import Settings


def read_letters(settings: Settings) -> pl.DataFrame:
    """Every letter that the topic still keeps, as ``LETTER``."""
    registry, rows = open_registry(settings.registry.url), []
    for message in committed(settings.kafka, [(DLQ_TOPIC, number) for number in range(settings.kafka.partitions)]):
        value = message.value() or b""
        letter = decode_value(value, registry.schema(schema_id_of(value)))
        letter["place"] = f"{message.partition()}/{message.offset()}"
        rows.append([letter[name] for name in LETTER])
    return pl.DataFrame(rows, schema=LETTER, orient="row")


def send_mended(
    settings: Settings, mended: Mended, allowed: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows
) -> int:
    """Sends the events of KOLs that were not erased, and waits for the broker; how many."""
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    for kind, events in mended.events.items():
        producer.send(kind, allowed(events).select(*SCHEMAS[kind]))
    return producer.flush().count
