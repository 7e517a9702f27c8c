"""Events encoded and produced, beside what librdkafka alone does with constant bytes; and a broker that goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import psutil
from confluent_kafka import Producer

from kolray import local
from kolray.benchmarks.events import chunks
from kolray.connectors.bulk import BulkProducer
from kolray.connectors.record_batches import record_batches
from kolray.events import RAW_TOPICS, Kind
from kolray.local.profiles import start_again
from kolray.schemas.columns import AvroColumns
from kolray.schemas.registry import FileRegistry, packaged_schema
from kolray.settings import KafkaSettings
from kolray.stream.decode import BatchDecoder
from kolray.stream.fetch import BatchFetcher

N_KOLS = 2000
CHUNK = 50_000
PARTITIONS = 4
Frames = Sequence[tuple[Kind, pl.DataFrame]]


@dataclass(frozen=True)
class Rate:
    """What went how fast: wall time, and CPU time of this process with all of its threads."""

    events: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> int:
        return round(self.events / self.wall_s)

    @property
    def per_cpu_s(self) -> int:
        return round(self.events / self.cpu_s)


def measured(events: int, work: Callable[[], object]) -> Rate:
    """Runs ``work`` and takes both times."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return Rate(events, time.perf_counter() - started, time.process_time() - cpu)


def make_events(n: int, seed: int) -> Frames:
    """Social and web events, four to one, made before any clock runs; another seed's have other ids."""
    own = pl.format(f"{seed}-{{}}", "event_id").alias("event_id")
    return [(kind, frame.with_columns(own)) for kind, frame in chunks(n, N_KOLS, seed, CHUNK)]


def size_of(frames: Frames) -> int:
    """How many events."""
    return sum(frame.height for _, frame in frames)


def encoding(frames: Frames) -> Rate:
    """Columns to Avro and to Kafka's record batches, compressed and with their checksums; nothing is sent."""

    def work() -> None:
        for kind, frame in frames:
            columns = AvroColumns.of(frame, packaged_schema(RAW_TOPICS[kind]))
            for batch in record_batches(columns, np.zeros(frame.height, np.int64), 1, PARTITIONS):
                batch.records.close()

    return measured(size_of(frames), work)


def producing(kafka: KafkaSettings, frames: Frames) -> Rate:
    """Encoded, produced, and acknowledged by the broker to the last."""
    with closing(BulkProducer(kafka, FileRegistry())) as producer:
        return measured(size_of(frames), lambda: _send(producer, frames))


def _send(producer: BulkProducer, frames: Frames) -> None:
    for kind, frame in frames:
        producer.send(kind, frame)
    producer.flush()


def limit(kafka: KafkaSettings, topic: str, n: int, value: bytes) -> Rate:
    """The same number of records of one constant value through librdkafka, which neither encodes nor reads a column."""
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 262_144,
            "queue.buffering.max.messages": 500_000,
            "enable.idempotence": kafka.transactions,
            "log_level": 0,
        }
    )
    keys = [f"kol_{number:06d}" for number in range(N_KOLS)]

    def work() -> None:
        for number in range(n):
            while True:
                try:
                    producer.produce(topic, value, keys[number % N_KOLS])
                    break
                except BufferError:
                    producer.poll(0.05)
        producer.flush()

    return measured(n, work)


@dataclass(frozen=True)
class Outage:
    """What became of ``sent`` events while the broker was killed and away for ``away_s``."""

    sent: int
    away_s: float
    lost: int
    doubled: int


def outage(settings_home: Path, kafka: KafkaSettings, frames: Frames, away_s: float) -> Outage:
    """Kills the broker of this home once half of the events are handed over, and starts it again ``away_s`` later."""
    before = read_ids(kafka)
    back = threading.Thread(target=_start_after, args=(settings_home, away_s))
    with closing(BulkProducer(kafka, FileRegistry())) as producer:
        for number, (kind, frame) in enumerate(frames):
            if number == len(frames) // 2:
                kill_server(settings_home, "kafka")
                back.start()
            producer.send(kind, frame)
        producer.flush(away_s * 3 + 60)
    back.join()
    after = read_ids(kafka)
    records = after.len() - before.len()
    distinct = after.n_unique() - before.n_unique()
    sent = size_of(frames)
    return Outage(sent, away_s, sent - distinct, records - distinct)


def _start_after(home: Path, away_s: float) -> None:
    time.sleep(away_s)
    start_again("kafka", home)


def kill_server(home: Path, name: str) -> None:
    """As ``kill -9``."""
    [service] = [service for service in local.status(home) if service.name == name]
    for server in psutil.Process(service.pid).children():  # the watchdog's only child is the server
        server.kill()


def read_ids(kafka: KafkaSettings) -> pl.Series:
    """The ``event_id`` of every event in the raw topics, by place; what does not decode would be missing."""
    decoder = BatchDecoder(FileRegistry(), columns={"social": ["event_id"], "web": ["event_id"]})
    found = [pl.Series("event_id", dtype=pl.String)]
    for kind, topic in RAW_TOPICS.items():
        fetcher = BatchFetcher(kafka, {(topic, number): 0 for number in range(kafka.partitions)})
        try:
            while not fetcher.caught_up():
                if batches := fetcher.poll(0.5):
                    found.append(decoder.decode(kind, batches).frame["event_id"])
        finally:
            fetcher.close()
    return pl.concat(found)
