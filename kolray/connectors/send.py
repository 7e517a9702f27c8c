"""Sends what a file held: events at their event time, bad rows to the dead letters, exactly as many as were read."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
from rich.progress import track

from kolray.clock import SystemClock
from kolray.connectors.files import FileEvents, chunks
from kolray.connectors.producer import EventProducer
from kolray.events import TIME
from kolray.schemas.registry import open_registry
from kolray.settings import Settings

Allowed = Callable[[pl.DataFrame], pl.DataFrame]
"""The rows of KOLs that were not erased."""


def send_file_events(
    settings: Settings, read: FileEvents, allowed: Allowed = lambda rows: rows, *, show: bool = False
) -> dict[str, int]:
    """Produces everything and waits for the broker; returns ``read``, ``sent``, ``dead_letters`` and ``denied``.

    The Kafka timestamp is now, whatever the event time: that is when the event became available, and a broker's
    retention would delete records stamped years ago.
    """
    events = FileEvents(read.kind, allowed(read.frame), allowed(read.dead))
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    slices = list(chunks(events.frame))
    for part in track(slices, description="chunks") if show else slices:
        producer.send(events.kind, part)
    if events.dead.height:
        now = pl.lit(SystemClock().now()).cast(TIME).alias("at")
        producer.send_dead_letters(events.dead.with_columns(now))
    producer.flush()
    n_read, n_sent, n_dead = read.frame.height + read.dead.height, events.frame.height, events.dead.height
    return {"read": n_read, "sent": n_sent, "dead_letters": n_dead, "denied": n_read - n_sent - n_dead}
