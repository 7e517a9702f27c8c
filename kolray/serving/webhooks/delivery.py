"""Alerts of the topic to every endpoint: each has its own place in it, so that one that is away holds up nobody else.

The place is the committed offset of a consumer group of its own, committed once an alert was taken or kept as dead: a
deliverer that is killed sends the alert it was at again, under the same id.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry, Counter

from kolray.clock import to_ms
from kolray.errors import SchemaError, ServiceUnavailableError
from kolray.events import ALERTS_TOPIC
from kolray.observability.catalog import CATALOG
from kolray.schemas.registry import Registry, open_registry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.serving.webhooks.endpoints import Endpoint, Endpoints, since
from kolray.serving.webhooks.sending import NotDeliveredError, Sender
from kolray.settings import KafkaSettings, Settings
from kolray.stores.kafka_access import for_kafka_python
from kolray.stores.metrics import MetricsStore
from kolray.stream.denied import DenyList, open_deny_list

log = logging.getLogger(__name__)
ALERT = "alert.raised"
OUTCOMES = ("taken", "dead")
POLL_MS = 500
MOST = 100_000
"""Alerts one replay sends."""
LOOK_S = 5.0
"""Seconds between looks for endpoints that came or went."""


def alert_data(row: dict[str, Any]) -> dict[str, Any]:
    """An alert as the API gives it: evidence as an object, times in ISO 8601."""
    times = {name: value.isoformat() for name, value in row.items() if isinstance(value, datetime)}
    return row | times | {"evidence": json.loads(row["evidence"])}


def group_of(endpoint: Endpoint) -> str:
    """The consumer group whose offsets are an endpoint's place; one that is made anew begins anew."""
    return f"kolray-webhook-{endpoint.name}-{to_ms(since(endpoint))}"


def counted(registry: CollectorRegistry) -> Counter:
    """Deliveries by endpoint and outcome, for ``deliver_all``."""
    return CATALOG["kolray_webhook_deliveries_total"].counter(registry)


class Deliverer:
    """Sends what one endpoint has not got yet.

    Args:
        counts: what ``counted`` made; none: nobody wants to know.
    """

    def __init__(
        self, endpoint: Endpoint, endpoints: Endpoints, sender: Sender, kafka: KafkaSettings, registry: Registry,
        denied: DenyList, counts: Counter | None = None,
    ) -> None:  # fmt: skip
        self.endpoint, self._endpoints, self._sender = endpoint, endpoints, sender
        self._kafka, self._registry, self._denied, self._counts = kafka, registry, denied, counts
        self._consumer: Any = None
        if counts is not None:
            for outcome in OUTCOMES:  # a series that begins with its first failure shows no increase
                counts.labels(endpoint.name, outcome)

    def step(self) -> int:
        """Sends the alerts that are there; returns how many were taken or kept as dead.

        Raises:
            ServiceUnavailableError: Kafka does not answer.
        """
        done = 0
        try:
            for place, records in self._connected().poll(timeout_ms=POLL_MS).items():
                for record in records:
                    done += self._handle(record)
                    self._consumer.commit({place: OffsetAndMetadata(record.offset + 1, "", -1)})
        except KafkaError as error:
            raise ServiceUnavailableError("Kafka", self._kafka.bootstrap, f"alerts cannot be read: {error}") from error
        return done

    def _connected(self) -> Any:
        if self._consumer is None:
            consumer = KafkaConsumer(
                **for_kafka_python(self._kafka),
                group_id=group_of(self.endpoint),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed" if self._kafka.transactions else "read_uncommitted",
            )
            try:
                self._begin(consumer)
            except KafkaError:
                consumer.close()
                raise
            self._consumer = consumer
        return self._consumer

    def _begin(self, consumer: Any) -> None:
        places = [TopicPartition(ALERTS_TOPIC, n) for n in sorted(consumer.partitions_for_topic(ALERTS_TOPIC) or ())]
        consumer.assign(places)
        if not self._kafka.transactions:  # the embedded broker has all, and may name a later offset as earliest
            for place in [place for place in places if consumer.committed(place) is None]:
                consumer.seek(place, 0)

    def _handle(self, record: Any) -> int:
        if record.timestamp < to_ms(since(self.endpoint)):
            return 0
        try:
            row = decode_value(record.value, self._registry.schema(schema_id_of(record.value)))
        except SchemaError as error:
            log.warning("a record of %s is no alert: %s", ALERTS_TOPIC, error)
            return 0
        if not self.wants(row):
            return 0
        self.deliver(alert_data(row))
        return 1

    def wants(self, row: Mapping[str, Any]) -> bool:
        """Whether an alert is one of the endpoint's rules, and not about an erased KOL."""
        self._denied.look()
        return self.endpoint.wants(row["rule"]) and not self._denied.has(row["kol_id"])

    def deliver(self, alert: dict[str, Any]) -> bool:
        """Whether the endpoint took it; if not, it is kept as dead."""
        try:
            self._sender.deliver(self.endpoint, ALERT, alert["alert_id"], alert)
        except NotDeliveredError as error:
            log.warning("webhook %s did not take alert %s: %s", self.endpoint.name, alert["alert_id"], error)
            self._endpoints.bury(self.endpoint.name, alert, str(error), self._sender.tries)
            self._count("dead")
            return False
        self._count("taken")
        return True

    def _count(self, outcome: str) -> None:
        if self._counts is not None:
            self._counts.labels(self.endpoint.name, outcome).inc()

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()


def deliver_all(
    settings: Settings, stop: threading.Event, sender: Sender | None = None, counts: Counter | None = None
) -> None:
    """Delivers until ``stop``: a thread an endpoint, looked for every few seconds."""
    endpoints = Endpoints.of(settings)
    threads: dict[Endpoint, tuple[threading.Thread, threading.Event]] = {}
    while not stop.is_set():
        wanted = set(endpoints.all())
        for gone in set(threads) - wanted:
            threads.pop(gone)[1].set()
        for endpoint in wanted - set(threads):
            ended = threading.Event()
            made = deliverer(settings, endpoint, endpoints, sender, counts)
            thread = threading.Thread(target=_run, args=(made, ended), name=f"webhook-{endpoint.name}", daemon=True)
            threads[endpoint] = thread, ended
            thread.start()
        stop.wait(LOOK_S)
    for _, ended in threads.values():
        ended.set()


def deliverer(
    settings: Settings,
    endpoint: Endpoint,
    endpoints: Endpoints | None = None,
    sender: Sender | None = None,
    counts: Counter | None = None,
) -> Deliverer:
    """On the servers the settings name."""
    return Deliverer(
        endpoint,
        endpoints or Endpoints.of(settings),
        sender or Sender(settings.serving),
        settings.kafka,
        open_registry(settings.registry.url),
        open_deny_list(settings),
        counts,
    )


def _run(made: Deliverer, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            made.step()
        except ServiceUnavailableError as error:
            log.warning("%s; trying again in %.0f s", error, LOOK_S)
            ended.wait(LOOK_S)
        except Exception:  # one endpoint's trouble is nobody else's
            log.exception("webhook %s", made.endpoint.name)
            ended.wait(LOOK_S)
    made.close()


def replay(made: Deliverer, store: MetricsStore, start: datetime) -> Iterator[bool]:
    """Sends the alerts of the metrics store since a time again, oldest first; yields whether each was taken."""
    for row in store.alerts(start, limit=MOST).sort("at", "alert_id").to_dicts():
        if made.wants(row):
            yield made.deliver(alert_data(row))


def replay_dead(made: Deliverer, endpoints: Endpoints, store: MetricsStore) -> Iterator[bool]:
    """Sends the deliveries that failed again; those that are taken, or whose alert was erased, are settled."""
    owed = endpoints.dead(made.endpoint.name)
    if not owed:
        return
    rows = store.alerts(datetime.fromisoformat(owed[0].at), limit=MOST).to_dicts()
    alerts = {row["alert_id"]: row for row in rows if made.wants(row)}
    for dead in owed:
        alert = alerts.get(dead.alert_id)
        taken = made.deliver(alert_data(alert)) if alert else True
        if taken:
            endpoints.settle(dead)
        if alert:
            yield taken
