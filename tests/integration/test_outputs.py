"""Outputs of a snapshot on real brokers: published once however often a restart repeats them, and never by a zombie."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import polars as pl
import pytest
from confluent_kafka.admin import AdminClient

from kolray.errors import FencedError
from kolray.events import ALERTS_TOPIC
from kolray.schemas.registry import FileRegistry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.settings import Settings
from kolray.stores.metrics import ALERT_SCHEMA
from kolray.stream.fetch import BatchFetcher
from kolray.stream.outputs import GROUP, open_publisher
from kolray.stream.snapshot import Snapshot
from kolray.stream.values import records_of

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["embedded", "local"])
def settings(request: pytest.FixtureRequest, settings_of: Callable[[str], Settings]) -> Iterator[Settings]:
    settings = settings_of(request.param)
    yield settings
    if request.param == "local":  # other tests stream on the same broker
        admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap})
        admin.delete_consumer_groups([GROUP])[GROUP].result(30)


def snapshot(run: str, number: int) -> Snapshot:
    """Two alerts."""
    rows = [(f"{run}-{number}-{i}", "spike", "kol_1", "1h", AT, "high", "{}", AT) for i in range(2)]
    outputs = {"alerts": pl.DataFrame(rows, schema=ALERT_SCHEMA, orient="row")}
    return Snapshot(0, 1, number, "", {}, {"social": 0, "web": 0}, 0, {}, {}, outputs)


def published(settings: Settings, run: str) -> list[str]:
    """Ids of this run's alerts that a reader of committed records sees, in order of their offsets."""
    starts = {(ALERTS_TOPIC, p): 0 for p in range(settings.kafka.partitions)}
    fetcher = BatchFetcher(settings.kafka, starts, committed_only=True)
    registry, ids = FileRegistry(), []
    while not fetcher.caught_up():
        for batch in fetcher.poll(1.0):
            values = records_of(batch)["value"]
            ids += [decode_value(v, registry.schema(schema_id_of(v)))["alert_id"] for v in values]
    fetcher.close()
    return [alert_id for alert_id in ids if alert_id.startswith(run)]


def test_a_repeated_snapshot_is_published_once_and_its_former_owner_is_fenced(settings: Settings) -> None:
    run, registry = secrets.token_hex(4), FileRegistry()
    first = open_publisher(settings.kafka, registry, 0)
    first.open()
    first.publish(snapshot(run, 1))
    second = open_publisher(settings.kafka, registry, 0)
    second.open()
    assert all(frame.is_empty() for frame in second.unpublished(snapshot(run, 1)).values())
    once = [f"{run}-1-0", f"{run}-1-1"]
    assert published(settings, run) == once
    with pytest.raises(FencedError, match="newer owner"):
        first.publish(snapshot(run, 2))
    assert second.unpublished(snapshot(run, 2))["alerts"].height == 2
    second.publish(snapshot(run, 2))
    assert published(settings, run) == [*once, f"{run}-2-0", f"{run}-2-1"]
    first.close()
    second.close()
