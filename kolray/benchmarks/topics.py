"""Topics that live as long as a benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient, NewTopic

from kolray.errors import ServiceUnavailableError
from kolray.settings import KafkaSettings


@contextmanager
def temporary_topics(kafka: KafkaSettings, names: list[str]) -> Iterator[None]:
    """Makes topics and deletes them afterwards.

    Raises:
        ServiceUnavailableError: Kafka does not answer within ten seconds.
    """
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "socket.timeout.ms": 10_000, "log_level": 0})
    try:
        admin.list_topics(timeout=10)
    except Exception as error:
        raise ServiceUnavailableError("Kafka", kafka.bootstrap, "start it with `kolray up --profile local`") from error
    # Benchmark events lie in the past: retention by time would delete them while they are read.
    keep = {"retention.ms": "-1"}
    made = admin.create_topics([NewTopic(name, kafka.partitions, kafka.replication, config=keep) for name in names])
    for future in made.values():
        future.result()
    try:
        yield
    finally:
        for future in admin.delete_topics(names).values():
            future.result()
