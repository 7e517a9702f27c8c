"""Sends a generated world: its events to Kafka, its reference tables to the lake."""

from __future__ import annotations

from contextlib import closing

from rich.console import Console
from rich.progress import track

from kolray.connectors.bulk import BulkProducer
from kolray.connectors.generator import World, batches
from kolray.connectors.producer import EventProducer
from kolray.lake.reference import upsert_reference
from kolray.schemas.registry import open_registry
from kolray.settings import Settings
from kolray.stream.denied import open_deny_list


def send_world(settings: Settings, world: World, *, show: bool = False) -> int:
    """Produces a world's events and writes its reference tables; returns the records sent."""
    registry = open_registry(settings.registry.url)
    hours, todo, broken = world.config.hours, batches(world), EventProducer(settings.kafka, registry)
    with closing(BulkProducer(settings.kafka, registry)) as producer:
        for batch in track(todo, total=hours, console=Console(stderr=True), description="hours") if show else todo:
            producer.send("social", batch.social, batch.social_ms)
            producer.send("web", batch.web, batch.web_ms)
            for record in batch.raw:
                broken.send_raw(record.topic, record.key, record.value, record.headers, record.timestamp_ms)
        count = producer.flush().count + broken.flush().count
    denied = open_deny_list(settings)
    for name, frame in (("kols", world.kols), ("campaigns", world.campaigns), ("labels", world.labels)):
        upsert_reference(settings.lake_root, name, denied.allowed(frame))
    return count
