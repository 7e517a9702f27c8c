"""The benchmark's sink, a Kafka topic of JSON rows, and its comparison with a batch computation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
from confluent_kafka import Producer

from kolray.events import Kind
from kolray.features.window_metrics import ratio_exprs
from kolray.settings import KafkaSettings
from kolray.stores.metrics import WINDOW_SCHEMA, Version
from kolray.stream.fetch import BatchFetcher
from kolray.stream.snapshot import Snapshot
from kolray.stream.values import records_of
from kolray.stream.visitors import Visitors
from kolray.stream.windows import WindowSpec, merge_panes, pane_aggregate, pane_ms, windows_of

KEYS = ["kol_id", "window", "window_start"]


class KafkaRows:
    """Final rows as JSON, made column by column, one record a row."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "linger.ms": 20,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def windows(self, rows: pl.DataFrame, version: Version) -> None:
        """Hands rows to the producer's queue."""
        del version
        start = pl.col("window_start").dt.epoch("ms").alias("window_start")
        texts = rows.select(pl.struct(*rows.drop("window_start").columns, start, *ratio_exprs()).struct.json_encode())
        for text in texts.to_series():
            self._producer.produce(self._topic, text)
        self._producer.poll(0)

    def alerts(self, rows: pl.DataFrame, version: Version) -> None:
        """Not part of the measured work."""

    def refresh_live(self) -> None: ...

    def flush(self) -> None:
        self._producer.flush()

    def close(self) -> None:
        self.flush()


class NoCheckpoints:
    """Takes snapshots' cost of building, not of disk: the peers' checkpoints go to a local disk too."""

    def take_epoch(self, partition: int) -> int:
        del partition
        return 1

    def save(self, snapshot: Snapshot) -> None:
        snapshot.to_bytes()

    def newest(self, partition: int) -> Snapshot | None:
        del partition
        return None


class NoPublisher:
    """No outputs beside rows."""

    def open(self) -> None: ...

    def publish(self, snapshot: Snapshot, *, again: bool = False) -> None: ...

    def close(self) -> None: ...


def compare_rows(
    kafka: KafkaSettings, topic: str, events: Iterable[tuple[Kind, pl.DataFrame]], windows: tuple[str, ...]
) -> tuple[int, int]:
    """(rows in the topic, rows missing, repeated, extra or different from the batch computation)."""
    specs = [WindowSpec.parse(text) for text in windows]
    pane = pane_ms(specs)
    visitors, parts = Visitors(specs), []
    for kind, frame in events:
        parts.append(pane_aggregate(kind, frame, pane))
        if kind == "web":
            visitors.add(frame)
    merged = merge_panes(parts)
    want = visitors.counted(pl.concat(windows_of(merged, spec) for spec in specs))
    got = _read_rows(kafka, topic)
    same = want.join(got, on=list(want.columns), how="inner", nulls_equal=True).height
    return got.height, (want.height - same) + (got.height - same)


def _read_rows(kafka: KafkaSettings, topic: str) -> pl.DataFrame:
    fetcher = BatchFetcher(kafka, {(topic, p): 0 for p in range(kafka.partitions)})
    texts: list[pl.Series] = []
    while not fetcher.caught_up():
        texts += [records_of(batch)["value"] for batch in fetcher.poll(1.0)]
    fetcher.close()
    raw: dict[str, Any] = {name: pl.Int64 if name == "window_start" else dtype for name, dtype in WINDOW_SCHEMA.items()}
    rows = pl.concat(texts).cast(pl.String).str.json_decode(pl.Struct(raw)).struct.unnest()
    return rows.cast(pl.Schema(WINDOW_SCHEMA)).select(*WINDOW_SCHEMA)
