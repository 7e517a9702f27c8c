"""Alerts that webhooks have not got: told by the topic and by each one's place in it, also while nobody delivers."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from confluent_kafka import Consumer, KafkaException, TopicPartition

from kolray.clock import Clock, to_ms
from kolray.errors import ServiceUnavailableError
from kolray.events import ALERTS_TOPIC
from kolray.exporter.topics import ASK_S, Tail
from kolray.observability.catalog import filled
from kolray.observability.metric import Family
from kolray.serving.webhooks.delivery import group_of
from kolray.serving.webhooks.endpoints import Endpoint, Endpoints, since
from kolray.settings import KafkaSettings, Settings
from kolray.stores.kafka_access import for_librdkafka


def webhook_metrics(settings: Settings, tail: Tail, clock: Clock) -> Iterator[Family]:
    """Of every endpoint; without one, nothing is asked of Kafka."""
    endpoints = Endpoints.of(settings)
    held = endpoints.all()
    alerts = tail.look() if held else pl.DataFrame()
    owed = {endpoint.name: waiting(alerts, endpoint, _place(settings.kafka, endpoint, alerts)) for endpoint in held}
    counts = [((name,), float(times.len())) for name, times in owed.items()]
    yield filled("kolray_webhook_waiting_alerts", counts)
    now = to_ms(clock.now())
    ages = [((name,), _age_s(times, now)) for name, times in owed.items()]
    yield filled("kolray_webhook_oldest_seconds", ages)
    dead = [((endpoint.name,), float(len(endpoints.dead(endpoint.name)))) for endpoint in held]
    yield filled("kolray_webhook_dead_alerts", dead)


def waiting(alerts: pl.DataFrame, endpoint: Endpoint, place: dict[int, int]) -> pl.Series:
    """Times (ms) of the alerts behind an endpoint's place and not older than itself.

    Those of rules that it does not want are passed over as fast as they are read, and count until then.

    Args:
        place: partition → first offset that was not handled; a partition without one was not begun.
    """
    begun = alerts["partition"].replace_strict(place, default=0, return_dtype=pl.Int64)
    mine = (alerts["offset"] >= begun) & (alerts["kafka_ms"] >= to_ms(since(endpoint)))
    return alerts.filter(mine)["kafka_ms"]


def _place(kafka: KafkaSettings, endpoint: Endpoint, alerts: pl.DataFrame) -> dict[int, int]:
    consumer = Consumer(for_librdkafka(kafka) | {"group.id": group_of(endpoint), "log_level": 0})
    try:
        wanted = [TopicPartition(ALERTS_TOPIC, number) for number in alerts["partition"].unique()]
        found = consumer.committed(wanted, timeout=ASK_S) if wanted else []
    except KafkaException as error:
        raise ServiceUnavailableError("Kafka", kafka.bootstrap, f"places cannot be read: {error}") from error
    finally:
        consumer.close()
    return {each.partition: each.offset for each in found if each.offset >= 0}


def _age_s(times: pl.Series, now_ms: int) -> float:
    return max(0.0, (now_ms - times.sort()[0]) / 1000) if times.len() else 0.0
