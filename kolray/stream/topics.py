"""Makes kolray's topics."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient, NewTopic

from kolray.errors import ServiceUnavailableError, SettingsError
from kolray.events import RAW_TOPICS, TOPICS
from kolray.settings import KafkaSettings
from kolray.stores.kafka_access import for_librdkafka

DAY_MS = 86_400_000


def ensure_topics(kafka: KafkaSettings) -> list[str]:
    """Makes the topics that are missing and returns their names.

    Raises:
        ServiceUnavailableError: Kafka does not answer within ten seconds.
        SettingsError: a raw topic exists with another partition count than the settings say.
    """
    admin = AdminClient(for_librdkafka(kafka) | {"log_level": 0})
    try:
        existing = admin.list_topics(timeout=10).topics
    except Exception as error:  # KafkaException is no stable base class of this client
        advice = "start it with `kolray up`, or name yours by KOLRAY_KAFKA__BOOTSTRAP"
        raise ServiceUnavailableError("Kafka", kafka.bootstrap, advice) from error
    for topic in RAW_TOPICS.values():
        if topic in existing and len(existing[topic].partitions) != kafka.partitions:
            raise SettingsError(
                f"{topic} has {len(existing[topic].partitions)} partitions, KOLRAY_KAFKA__PARTITIONS says "
                f"{kafka.partitions}: both raw topics must have the same count. Set it to what the topic has."
            )
    missing = [topic for topic in TOPICS if topic not in existing]
    if missing:
        keep = {"retention.ms": str(int(kafka.retention_days * DAY_MS))}
        made = admin.create_topics([NewTopic(t, kafka.partitions, kafka.replication, config=keep) for t in missing])
        for future in made.values():
            future.result()
    return missing
