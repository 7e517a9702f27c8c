"""Counts what an output topic holds, by reading it as any consumer would."""

from __future__ import annotations

from kolray.settings import KafkaSettings
from kolray.stream.fetch import BatchFetcher
from kolray.stream.values import records_of


def count_records(kafka: KafkaSettings, topic: str) -> int:
    """Records a reader of committed transactions sees."""
    starts = {(topic, number): 0 for number in range(kafka.partitions)}
    fetcher = BatchFetcher(kafka, starts, committed_only=kafka.transactions)
    try:
        total = 0
        while not fetcher.caught_up():
            total += sum(records_of(batch).height for batch in fetcher.poll(0.5))
        return total
    finally:
        fetcher.close()
