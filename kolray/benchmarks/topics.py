"""Topics that live as long as a benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient, NewTopic

from kolray.errors import ServiceUnavailableError
from kolray.settings import KafkaSettings


@contextmanager
def temporary_topics(
    kafka: KafkaSettings, names: list[str], configs: Mapping[str, dict[str, str]] = MappingProxyType({})
) -> Iterator[None]:
    """Makes topics and deletes them afterwards.

    Args:
        configs: settings of single topics beside unlimited retention.

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
    made = admin.create_topics(
        [NewTopic(name, kafka.partitions, kafka.replication, config=keep | configs.get(name, {})) for name in names]
    )
    for future in made.values():
        future.result()
    try:
        yield
    finally:
        delete_topics(kafka, names)


def delete_topics(kafka: KafkaSettings, names: list[str]) -> None:
    """Deletes topics; one that is not there is no error."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "socket.timeout.ms": 10_000, "log_level": 0})
    for future in admin.delete_topics(names).values():
        if (error := future.exception()) is not None and error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise error
