"""Puts the stream's real code together with the doubles of one process. A mutant exchanges one part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from kolray.benchmarks.simulate.broker import Broker, MemoryConsumer, MemoryProducer, MemoryReader
from kolray.benchmarks.simulate.disk import Disk, MemoryCheckpoints
from kolray.benchmarks.simulate.memo import MemoDecoder, Memory, MemoState
from kolray.benchmarks.simulate.process import NodeClock, Process
from kolray.benchmarks.simulate.rows import QueuedWriter, RowCache, Store
from kolray.benchmarks.simulate.scenario import SETTINGS, START_MS, Scenario
from kolray.schemas.registry import FileRegistry
from kolray.settings import KafkaSettings
from kolray.stream.outputs import TransactionalPublisher
from kolray.stream.partition import PartitionRunner
from kolray.stream.shard import Shard

KAFKA = KafkaSettings()


@dataclass
class Known:
    """What schedules of one scenario share: everything pure."""

    scenario: Scenario
    memory: Memory = field(default_factory=Memory)
    decoder: MemoDecoder = field(default_factory=MemoDecoder)
    rows: RowCache = field(default_factory=RowCache)


@dataclass(frozen=True)
class Parts:
    """The classes a process is made of."""

    runner: Callable[..., PartitionRunner] = PartitionRunner
    publisher: Callable[..., TransactionalPublisher] = TransactionalPublisher
    checkpoints: Callable[..., MemoryCheckpoints] = MemoryCheckpoints
    shard: Callable[..., Shard] = Shard
    producer: Callable[..., MemoryProducer] = MemoryProducer


@dataclass(frozen=True)
class Lasting:
    """What outlives every process of one schedule, and the schedule's settings."""

    broker: Broker
    disk: Disk
    store: Store
    chance: Random
    passed_s: Callable[[], float]
    checkpoint_interval_s: float
    as_bytes: bool


def make_shard(
    process: Process, known: Known, parts: Parts, lasting: Lasting, skew_s: float
) -> tuple[Shard, QueuedWriter]:
    """A shard over the process's partitions, and its writer."""
    clock = NodeClock(START_MS, lasting.passed_s, skew_s)
    writer = QueuedWriter(lasting.store, known.rows, process, lasting.chance, process.wait)
    registry = FileRegistry()

    def producer(transactional_id: str, **_: Any) -> MemoryProducer:
        return parts.producer(lasting.broker, process, transactional_id)

    def consumer(**_: Any) -> MemoryConsumer:
        return MemoryConsumer(lasting.broker, process)

    runners = {
        number: parts.runner(
            partition=number,
            state=MemoState(known.memory),
            checkpoints=parts.checkpoints(lasting.disk, process, as_bytes=lasting.as_bytes),
            publisher=parts.publisher(KAFKA, registry, number, producer=producer, consumer=consumer),
            writer=writer,
            clock=clock,
            broker={"cluster": "memory"},
        )
        for number in process.partitions
    }
    shard = parts.shard(
        runners=runners,
        open_source=lambda starts: MemoryReader(lasting.broker, process, lasting.chance, starts),
        decoder=known.decoder,
        settings=SETTINGS.model_copy(update={"checkpoint_interval_s": lasting.checkpoint_interval_s}),
        clock=clock,
        beat=process.beat,
    )
    return shard, writer
