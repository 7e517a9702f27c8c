"""Composition root of the exporter: settings in, a registry out."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry

import kolray
from kolray.clock import Clock, SystemClock
from kolray.events import ALERTS_TOPIC, DLQ_TOPIC
from kolray.exporter.follow import follow_metrics
from kolray.exporter.lake import lake_metrics
from kolray.exporter.letters import letter_metrics
from kolray.exporter.models import model_metrics
from kolray.exporter.parts import Aside, Parts, Read
from kolray.exporter.runs import run_metrics
from kolray.exporter.sources import source_metrics
from kolray.exporter.topics import Tail
from kolray.exporter.webhooks import webhook_metrics
from kolray.lake.follow import FOLLOW_FILE
from kolray.lake.tables import LakeTables
from kolray.observability.catalog import filled
from kolray.observability.runs import Runs
from kolray.settings import Settings
from kolray.stream.metrics import StreamCollector
from kolray.stream.status import StatusFile


def build_registry(settings: Settings, clock: Clock | None = None, keep_s: float = 0.0) -> CollectorRegistry:
    """Everything that can be read from this home, its lake and its polls.

    Args:
        keep_s: seconds for which what lake, drift and Kafka told is told again.
    """
    clock, tables = clock or SystemClock(), LakeTables(settings.lake_root)
    quick: dict[str, Read] = {
        "stream": StreamCollector(StatusFile(settings.home, clock).read).collect,
        "follow": partial(follow_metrics, StatusFile(settings.home, clock, FOLLOW_FILE).read),
        "runs": partial(run_metrics, Runs(settings.home, clock)),
        "sources": partial(source_metrics, settings, clock),
        "exporter": lambda: [filled("kolray_build_info", [((kolray.__version__,), 1.0)])],
    }
    letters, alerts = Tail(settings.kafka, DLQ_TOPIC), Tail(settings.kafka, ALERTS_TOPIC)
    quick |= {
        "dead_letters": Aside(partial(letter_metrics, letters, tables), keep_s),
        "webhooks": Aside(partial(webhook_metrics, settings, alerts, clock), keep_s),
    }
    slow: dict[str, Read] = {"lake": partial(lake_metrics, tables), "models": partial(model_metrics, tables)}
    registry = CollectorRegistry()
    for parts in (Parts(quick), Parts(slow, keep_s)):
        registry.register(parts)
    return registry
