"""The stream as it runs in a shard, on topics of its own, without stores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from kolray.benchmarks.fuzz.pool import FuzzRegistry
from kolray.benchmarks.fuzz.sending import FuzzSender
from kolray.clock import Clock
from kolray.events import DLQ_TOPIC, LATE_TOPIC, RAW_TOPICS, Kind
from kolray.settings import KafkaSettings, StreamSettings
from kolray.stores.metrics import Version
from kolray.stream.checkpoint import FolderCheckpoints
from kolray.stream.decode import BatchDecoder, Decoded
from kolray.stream.fetch import BatchFetcher, RawBatch
from kolray.stream.outputs import TransactionalPublisher
from kolray.stream.partition import PartitionRunner
from kolray.stream.shard import Shard
from kolray.stream.state import new_state

LARGEST_BATCH_BYTES = 8 << 20
QUIET_ROUNDS = 4
"""Rounds of the loop that must bring nothing while a transaction is open."""
STALLED_ROUNDS = 60
"""Rounds without a record after which some are taken for lost."""
STREAM = StreamSettings(checkpoint_interval_s=2, windows=("5m",))


@dataclass(frozen=True)
class FuzzTopics:
    """Topics of this run alone."""

    raw: dict[Kind, str]
    outputs: dict[str, str]
    name: str

    @classmethod
    def named(cls, suffix: str) -> FuzzTopics:
        """With a suffix behind the usual names."""
        outputs = {"dead_letters": DLQ_TOPIC + suffix, "late": LATE_TOPIC + suffix}
        return cls({kind: topic + suffix for kind, topic in RAW_TOPICS.items()}, outputs, f"fuzz{suffix}")

    def configs(self) -> dict[str, dict[str, str]]:
        """The raw topics take large batches; the one of web events stamps what it appends."""
        large = {"max.message.bytes": str(LARGEST_BATCH_BYTES)}
        return {self.raw["social"]: large, self.raw["web"]: large | {"message.timestamp.type": "LogAppendTime"}}


class WatchedDecoder(BatchDecoder):
    """Remembers which records became events."""

    def __init__(self) -> None:
        super().__init__(FuzzRegistry(), STREAM.far_future_s)
        self.events: list[pl.DataFrame] = []
        self.records = 0

    def decode(self, kind: Kind, batches: Iterable[RawBatch]) -> Decoded:
        """As the stream's own."""
        decoded = super().decode(kind, batches)
        self.events.append(decoded.frame.select("topic", "partition", "offset", "event_id"))
        self.records += decoded.frame.height + decoded.rejected.height
        return decoded


class NoRows:
    """No store: the rows are not what is judged here."""

    def windows(self, rows: pl.DataFrame, version: Version) -> None: ...

    def alerts(self, rows: pl.DataFrame, version: Version) -> None: ...

    def refresh_live(self) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


def open_shard(kafka: KafkaSettings, topics: FuzzTopics, decoder: BatchDecoder, folder: str, clock: Clock) -> Shard:
    """A shard over every partition, with checkpoints in ``folder`` and dead letters in transactions."""
    runners = {
        number: PartitionRunner(
            partition=number,
            state=new_state(STREAM, ()),
            checkpoints=FolderCheckpoints(folder),
            publisher=TransactionalPublisher(kafka, decoder.registry, number, topics.outputs, topics.name),
            writer=NoRows(),
            clock=clock,
            broker={},
        )
        for number in range(kafka.partitions)
    }
    return Shard(
        runners=runners,
        open_source=lambda starts: BatchFetcher(kafka, starts, committed_only=True),
        decoder=decoder,
        settings=STREAM,
        clock=clock,
        until_end=True,
        topics=topics.raw,
    )


def read_all(shard: Shard, sender: FuzzSender, decoder: WatchedDecoder, n_open: int) -> int:
    """Reads to the end, past a transaction that was open meanwhile; returns records read from or behind it too early.

    The transaction, ``n_open`` records in partition 0 of the social topic, is aborted once all before it is read.
    """
    before = len(sender.ledger)
    transaction = sender.leave_open("social", 0, n_open)
    shard.restore()
    _steps(shard, decoder, before)
    for _ in range(QUIET_ROUNDS):
        shard.step()
    early = max(0, decoder.records - before)
    transaction.abort_transaction(60)
    _steps(shard, decoder, before + n_open)
    stalled = 0
    while not shard.finished and stalled < STALLED_ROUNDS:
        shard.step()
        stalled += 1
    shard.close()
    return early


def _steps(shard: Shard, decoder: WatchedDecoder, n_records: int) -> None:
    """Until so many records were read, or none comes any more."""
    stalled, last = 0, decoder.records
    while last < n_records and stalled < STALLED_ROUNDS:
        shard.step()
        stalled = 0 if decoder.records > last else stalled + 1
        last = decoder.records
