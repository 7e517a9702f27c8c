"""What a topic holds, followed: places, times and keys of its records, never their values."""

from __future__ import annotations

import time

import polars as pl
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from kolray.errors import ServiceUnavailableError
from kolray.settings import KafkaSettings
from kolray.stores.kafka_access import for_librdkafka
from kolray.stream.fetch import BatchFetcher
from kolray.stream.values import records_of

SCHEMA = {"partition": pl.Int32, "offset": pl.Int64, "kafka_ms": pl.Int64, "key": pl.Binary}
READ_S = 5.0
"""Longest that one look reads on; the next goes on there."""
ASK_S = 2.0


class Tail:
    """The records that a topic keeps now, read once each; some 40 bytes of memory a record.

    Only what is written seldom is followed so: dead letters, alerts.
    """

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._fetcher: BatchFetcher | None = None
        self._rows = pl.DataFrame(schema=SCHEMA)

    def look(self) -> pl.DataFrame:
        """``SCHEMA`` of everything that is there; empty where there is no such topic.

        Raises:
            KolrayError: Kafka is away, or its log was replaced; the next look begins anew.
        """
        try:
            return self._look()
        except Exception:
            self.close()
            raise

    def _look(self) -> pl.DataFrame:
        if self._fetcher is None:
            places = _places(self._kafka, self._topic)
            if not places:
                return self._rows
            self._fetcher = BatchFetcher(self._kafka, dict.fromkeys(places, 0), committed_only=self._kafka.transactions)
        frames, until = [self._rows], time.monotonic() + READ_S
        while True:
            batches = self._fetcher.poll(0.5)
            frames += [
                records_of(batch).select(pl.lit(batch.partition, pl.Int32).alias("partition"), *list(SCHEMA)[1:])
                for batch in batches
            ]
            if self._fetcher.caught_up() or time.monotonic() > until:
                break
        begins = [(partition, first) for (_, partition), first in self._fetcher.begins().items()]
        kept = pl.DataFrame(begins, schema={"partition": pl.Int32, "begins": pl.Int64}, orient="row")
        rows = pl.concat(frames).join(kept, on="partition")
        self._rows = rows.filter(pl.col("offset") >= pl.col("begins")).drop("begins")
        return self._rows

    def close(self) -> None:
        """Forgets what was read."""
        if self._fetcher is not None:
            self._fetcher.close()
        self._fetcher, self._rows = None, self._rows.clear()


def _places(kafka: KafkaSettings, topic: str) -> list[tuple[str, int]]:
    admin = AdminClient(for_librdkafka(kafka) | {"log_level": 0})
    try:
        found = admin.list_topics(timeout=ASK_S).topics
    except KafkaException as error:
        raise ServiceUnavailableError("Kafka", kafka.bootstrap, f"its topics cannot be listed: {error}") from error
    return [(topic, number) for number in found[topic].partitions] if topic in found else []
