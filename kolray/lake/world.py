"""Sends a generated world: its events to Kafka, its reference tables to the lake."""

from __future__ import annotations

from contextlib import closing

from rich.console import Console
from rich.progress import track

from kolray.clock import SystemClock, to_ms
from kolray.connectors.bulk import BulkProducer
from kolray.connectors.generator import World, batches
from kolray.connectors.producer import EventProducer
from kolray.lake.reference import upsert_reference
from kolray.schemas.registry import open_registry
from kolray.settings import Settings
from kolray.stream.denied import open_deny_list

AHEAD_MS = 30 * 60_000
"""How far ahead of now a record may be stamped. What comes late arrives up to some hours after the world's end; of a
world that ends now that is still to come, and brokers refuse records from more than an hour ahead."""


def send_world(settings: Settings, world: World, *, show: bool = False) -> int:
    """Produces a world's events and writes its reference tables; returns the records sent."""
    registry = open_registry(settings.registry.url)
    latest_ms = to_ms(SystemClock().now()) + AHEAD_MS
    hours, todo, broken = world.config.hours, batches(world), EventProducer(settings.kafka, registry)
    with closing(BulkProducer(settings.kafka, registry)) as producer:
        for batch in track(todo, total=hours, console=Console(stderr=True), description="hours") if show else todo:
            producer.send("social", batch.social, batch.social_ms.clip(upper_bound=latest_ms))
            producer.send("web", batch.web, batch.web_ms.clip(upper_bound=latest_ms))
            for record in batch.raw:
                broken.send_raw(record.topic, record.key, record.value, record.headers, record.timestamp_ms)
        count = producer.flush().count + broken.flush().count
    denied = open_deny_list(settings)
    for name, frame in (("kols", world.kols), ("campaigns", world.campaigns), ("labels", world.labels)):
        upsert_reference(settings.lake_root, name, denied.allowed(frame))
    return count
