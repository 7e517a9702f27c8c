"""Reads Kafka by whole record batches: the library's own fetcher, one seam below its records.

kafka-python keeps leaders, fetch sessions, errors, offset resets, throttling, TLS and SASL. Only its inner
``PartitionRecords`` is replaced, so that a batch stays bytes (see ``decode.py`` for why). The seam is held by a
contract test and the library is pinned exactly.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import google_crc32c
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.record.default_records import DefaultRecordBatch

from kolray.errors import CheckpointError, ServiceUnavailableError
from kolray.settings import KafkaSettings
from kolray.stores.kafka_access import for_kafka_python
from kolray.stream.codecs import decompress

log = logging.getLogger(__name__)
HEAD_BYTES = DefaultRecordBatch.HEADER_STRUCT.size


@dataclass(frozen=True, slots=True)
class RawBatch:
    """One Kafka record batch (format v2), decompressed but not decoded.

    Offsets ``first_offset`` to ``last_offset`` are wanted: a fetch may return a batch that begins before the offset
    asked for. ``problem`` tells why the bytes cannot be trusted; ``body`` is then empty.
    """

    topic: str
    partition: int
    first_offset: int
    head: bytes
    body: bytes
    base_offset: int
    last_offset: int
    count: int
    first_ms: int
    append_ms: int | None
    problem: str | None = None

    @property
    def offset(self) -> int:
        """What the library compares with the offset it asked for, to skip what it did not want."""
        return self.last_offset


class _RawPartitionRecords(Fetcher.PartitionRecords):
    """Yields ``RawBatch`` where the library would yield a record."""

    def _unpack_records(self, tp: Any, records: Any, _key: Any, _value: Any) -> Iterator[RawBatch]:
        while (batch := records.next_batch()) is not None:
            self.leader_epoch = batch.leader_epoch
            intact = _intact(batch)
            skip = intact and self._is_invisible(batch)  # a damaged head must not pass for a control batch
            self.next_fetch_offset = batch.next_offset
            if skip:
                continue
            raw = raw_batch(tp, batch, self.fetch_offset, intact)
            self.bytes_read += len(raw.body)
            self.records_read += raw.count
            yield raw
        self.drain()

    def _is_invisible(self, batch: Any) -> bool:
        """Control batches, and under ``read_committed`` those of aborted transactions, as the library decides it."""
        if self.isolation_level == 1 and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def _intact(batch: Any) -> bool:
    """Whether the batch is as its producer wrote it; the checksum covers all behind itself."""
    covered = bytes(memoryview(batch._buffer)[batch.ATTRIBUTES_OFFSET :])
    return bool(google_crc32c.value(covered) == batch.crc)


def raw_batch(tp: Any, batch: Any, fetch_offset: int, intact: bool = True) -> RawBatch:
    """The library's record batch of a partition, from ``fetch_offset`` on."""
    buffer = memoryview(batch._buffer)
    problem, body = None, b""
    if not intact:
        problem = "record batch fails its CRC-32C"
    else:
        try:
            body = decompress(batch.compression_type, buffer[HEAD_BYTES:])
        except ValueError as error:
            problem = str(error)
    return RawBatch(
        topic=tp.topic,
        partition=tp.partition,
        first_offset=max(batch.base_offset, fetch_offset),
        head=bytes(buffer[:HEAD_BYTES]),
        body=body,
        base_offset=batch.base_offset,
        last_offset=batch.last_offset,
        count=batch.records_count,
        first_ms=batch.first_timestamp,
        append_ms=batch.max_timestamp if batch.timestamp_type else None,
        problem=problem,
    )


class BatchFetcher:
    """Polls record batches of partitions it was given, from offsets it was given; nothing is committed.

    Args:
        kafka: where the brokers are.
        starts: (topic, partition) → first offset wanted; 0: of what the broker still has.
        committed_only: leave out records of open and aborted transactions.
    """

    def __init__(
        self, kafka: KafkaSettings, starts: dict[tuple[str, int], int], *, committed_only: bool = False
    ) -> None:
        try:
            self._consumer = KafkaConsumer(
                **for_kafka_python(kafka),
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed" if committed_only else "read_uncommitted",
                fetch_max_bytes=1 << 26,
                max_partition_fetch_bytes=kafka.fetch_bytes,
                fetch_max_wait_ms=100,
                check_crcs=False,
                bootstrap_timeout_ms=10_000,
            )
        except KafkaError as error:
            raise ServiceUnavailableError("Kafka", kafka.bootstrap, "start it with `kolray up`") from error
        self._consumer._fetcher.PartitionRecords = _RawPartitionRecords
        self._deletes = kafka.transactions  # as every broker does but the embedded one
        self._partitions = [TopicPartition(*place) for place in starts]
        self._consumer.assign(self._partitions)
        for place, offset in starts.items():
            self._consumer.seek(TopicPartition(*place), offset)

    def _skip_what_is_gone(self, fresh: Iterable[TopicPartition]) -> None:
        """Goes on with what retention has left of partitions that refuse their first offset.

        Only a refusal tells that it is gone. Asked for the first offset (``ListOffsets``), the embedded broker names a
        later one where several producers wrote a partition's first records at once.
        """
        for tp, first in self._consumer.beginning_offsets(list(fresh)).items():
            log.warning("%s-%d begins at offset %d: its retention deleted what was before", *tp, first)
            self._consumer.seek(tp, first)

    def poll(self, timeout_s: float) -> list[RawBatch]:
        """Batches that arrived, oldest first within a partition; an empty list after ``timeout_s`` without any.

        Raises:
            CheckpointError: the broker no longer has the records that come next.
            ServiceUnavailableError: the broker reports an error that waiting does not mend.
        """
        try:
            got = self._polled(timeout_s)
        except OffsetOutOfRangeError as error:
            raise CheckpointError(
                f"the broker no longer has the records that come next ({error.args[0]}): its retention deleted them, "
                "or its log was replaced. `kolray stream --reset` starts anew with what there is"
            ) from error
        except KafkaError as error:
            raise ServiceUnavailableError(
                "Kafka", str(self._consumer.config["bootstrap_servers"]), str(error)
            ) from error
        return [batch for batches in got.values() for batch in batches]

    def _polled(self, timeout_s: float) -> dict[TopicPartition, list[RawBatch]]:
        try:
            got: dict[TopicPartition, list[RawBatch]] = self._consumer.poll(int(timeout_s * 1000), 1 << 20)
        except OffsetOutOfRangeError as error:
            if any(error.args[0].values()):  # who goes on must not miss any
                raise
            self._skip_what_is_gone(error.args[0])
            return {}
        return got

    def positions(self) -> dict[tuple[str, int], int]:
        """(topic, partition) → offset of the next record to be polled."""
        return {(tp.topic, tp.partition): int(self._consumer.position(tp)) for tp in self._partitions}

    def begins(self) -> dict[tuple[str, int], int]:
        """(topic, partition) → the first offset that the broker still has; the embedded broker has all."""
        if not self._deletes:
            return {(tp.topic, tp.partition): 0 for tp in self._partitions}
        firsts = self._consumer.beginning_offsets(self._partitions)
        return {(tp.topic, tp.partition): int(at) for tp, at in firsts.items()}

    def caught_up(self) -> bool:
        """Whether every partition was answered and stands at its log's end (see ``at_end``)."""
        return all(self.at_end(tp.topic, tp.partition) for tp in self._partitions)

    def at_end(self, topic: str, partition: int) -> bool:
        """Whether the position is the high watermark of the partition's newest fetch answer.

        Not ``ListOffsets``: the embedded broker's misses the tail. A partition that was never answered is not at its
        end: a stalled fetch is not idleness.
        """
        tp = TopicPartition(topic, partition)
        high = self._consumer.highwater(tp)
        return high is not None and int(self._consumer.position(tp)) >= high

    def lag(self, topic: str, partition: int) -> int | None:
        """Offsets between the position and the log's end; None before the first answer."""
        tp = TopicPartition(topic, partition)
        high = self._consumer.highwater(tp)
        return None if high is None else max(0, high - int(self._consumer.position(tp)))

    def close(self) -> None:
        self._consumer.close()
