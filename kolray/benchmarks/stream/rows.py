"""Final window rows to a Kafka topic as JSON, one a kind and window: the published comparison of engines' form."""

from __future__ import annotations

from typing import Any

import polars as pl
from confluent_kafka import Producer

from kolray.events import COUNTS
from kolray.features.window_metrics import ratio
from kolray.settings import KafkaSettings
from kolray.stores.metrics import Version

_AT = ("win", "kol_id", "window_start")
_SOCIAL = (
    pl.lit("social").alias("kind"),
    *_AT,
    "events",
    *COUNTS,
    (pl.col("followers_max") - pl.col("followers_min")).fill_null(0).alias("followers_delta"),
    ratio(pl.col("likes") + pl.col("comments") + pl.col("shares"), pl.col("impressions")).alias("engagement_rate"),
    ratio(pl.col("clicks"), pl.col("impressions")).alias("ctr"),
)
_WEB = (
    pl.lit("web").alias("kind"),
    *_AT,
    pl.col("web_impressions").alias("impressions"),
    pl.col("web_clicks").alias("clicks"),
    pl.col("web_conversions").alias("conversions"),
    ratio(pl.col("web_conversions"), pl.col("web_clicks")).alias("cvr"),
)


def open_producer(kafka: KafkaSettings) -> Producer:
    """One for all partitions of a process."""
    return Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "linger.ms": 5,
            "batch.size": 131_072,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 262_144,
        }
    )


class KafkaRows:
    """The rows of one partition, made and handed over column by column."""

    def __init__(self, producer: Producer, topic: str, partition: int) -> None:
        self._producer, self._topic, self._partition = producer, topic, partition

    def windows(self, rows: pl.DataFrame, version: Version) -> None:
        """Hands final rows to the producer's queue and waits where it is full. Provisional ones are left out."""
        del version
        if not rows.height or not rows["final"][0]:  # those of one call are alike
            return
        start = pl.col("window_start").dt.epoch("ms")
        final = rows.with_columns(start, win="window")
        for count, columns in (("events", _SOCIAL), ("web_events", _WEB)):
            mine = final.filter(pl.col(count) > 0)
            texts = mine.select(value=pl.struct(columns).struct.json_encode())
            self._hand_over([{"value": text} for text in texts["value"].to_list()])  # half the time of to_dicts()
        self._producer.poll(0)

    def _hand_over(self, messages: list[dict[str, Any]]) -> None:
        while messages:
            self._producer.produce_batch(self._topic, messages, partition=self._partition)
            messages = [m for m in messages if m.pop("_error", None) is not None]  # did not fit into the queue
            if messages:
                self._producer.poll(0.1)

    def alerts(self, rows: pl.DataFrame, version: Version) -> None:
        """Not part of the work."""

    def refresh_live(self) -> None: ...

    def flush(self) -> None:
        self._producer.flush()

    def close(self) -> None:
        self.flush()
