"""Sends what a file held: events at their event time, bad rows to the dead letters, exactly as many as were read."""

from __future__ import annotations

import polars as pl
from rich.progress import track

from kolray.clock import SystemClock
from kolray.connectors.files import FileEvents, chunks
from kolray.connectors.producer import EventProducer
from kolray.events import TIME
from kolray.schemas.registry import open_registry
from kolray.settings import Settings


def send_file_events(settings: Settings, events: FileEvents, *, show: bool = False) -> dict[str, int]:
    """Produces everything and waits for the broker; returns ``read``, ``sent`` and ``dead_letters``.

    The Kafka timestamp is now, whatever the event time: that is when the event became available, and a broker's
    retention would delete records stamped years ago.
    """
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    slices = list(chunks(events.frame))
    for part in track(slices, description="chunks") if show else slices:
        producer.send(events.kind, part)
    if events.dead.height:
        now = pl.lit(SystemClock().now()).cast(TIME).alias("at")
        producer.send_dead_letters(events.dead.with_columns(now))
    producer.flush()
    return {
        "read": events.frame.height + events.dead.height,
        "sent": events.frame.height,
        "dead_letters": events.dead.height,
    }
