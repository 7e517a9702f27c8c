"""Composition root of tracking: settings in, routes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl
from starlette.routing import Route

from kolray.clock import SystemClock
from kolray.connectors.producer import EventProducer
from kolray.errors import KolrayError
from kolray.schemas.registry import open_registry
from kolray.serving.sessions import kept_secret
from kolray.serving.tracking.collected import TrackingCollector
from kolray.serving.tracking.journal import Journal
from kolray.serving.tracking.links import Links
from kolray.serving.tracking.outbox import Outbox
from kolray.serving.tracking.routes import tracking_routes
from kolray.serving.tracking.tracker import Tracker
from kolray.settings import Settings

ACKNOWLEDGED_S = 30.0


class Tracking(NamedTuple):
    """Its routes, its metrics, and what sends the last hits when the server ends."""

    routes: list[Route]
    metrics: TrackingCollector
    close: Callable[[], None]


class KafkaSender:
    """Sends web events; after a failure it begins with a new producer, since the old one still holds what failed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: EventProducer | None = None

    def __call__(self, events: pl.DataFrame) -> None:
        try:
            if self._producer is None:
                registry = open_registry(self._settings.registry.url)
                self._producer = EventProducer(self._settings.kafka, registry, linger_ms=0)
            self._producer.send("web", events)
            self._producer.flush(ACKNOWLEDGED_S)
        except KolrayError:
            self._producer = None
            raise


def secret_of(settings: Settings) -> str:
    """What salts visitors and signs links: the setting's, else one kept in the home folder."""
    given = settings.tracking.secret
    return given.get_secret_value() if given else kept_secret(settings.home, "tracking.key")


def open_tracking(settings: Settings) -> Tracking:
    """Tracked pages on the Kafka that the settings name."""
    journal = Journal(settings.home / "tracking", settings.tracking.buffer_mb << 20)
    outbox = Outbox(journal, KafkaSender(settings))
    secret = secret_of(settings)
    tracker = Tracker(outbox, secret.encode(), SystemClock())
    routes = tracking_routes(tracker, Links(secret), settings.tracking.proxies)
    return Tracking(routes, TrackingCollector(tracker), outbox.close)
