"""Sends fuzzed records by every codec, plainly and in transactions, and remembers what lies at which offset."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

import polars as pl
from confluent_kafka import KafkaError, Message, Producer

from kolray.benchmarks.fuzz.mutations import Record
from kolray.benchmarks.fuzz.pool import Pool
from kolray.errors import ServiceUnavailableError
from kolray.events import Kind
from kolray.settings import KafkaSettings

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
STYLES: tuple[Style, ...] = ("plain", "plain", "committed", "aborted")
SHARES = (0.0, 0.002, 0.05, 0.5, 1.0)
"""Of a run's records, those other than plain: whole batches in order, one bad in a batch, nothing but bad."""
RUN_RECORDS = 2_000
"""At most so many records in a row are sent to one partition by one producer."""
BATCH_BYTES = 32_768
LARGEST_BYTES = 8 << 20

Style = Literal["plain", "committed", "aborted"]
Place = tuple[str, int]


@dataclass
class Ledger:
    """Per topic and partition, in the order of their offsets: the mutations of records that readers may see."""

    names: dict[Place, list[str]] = field(default_factory=lambda: defaultdict(list))
    numbers: dict[Place, list[int]] = field(default_factory=lambda: defaultdict(list))
    aborted: int = 0

    def __len__(self) -> int:
        return sum(len(names) for names in self.names.values())


class FuzzSender:
    """One producer a codec, and one more for its transactions; all deliver before the next turn begins.

    Args:
        topics: the topic of each kind of event.
    """

    def __init__(self, kafka: KafkaSettings, topics: dict[Kind, str], seed: int) -> None:
        self._kafka, self._topics = kafka, topics
        self._chance = random.Random(seed)
        self._pools = {kind: Pool(kind, seed) for kind in topics}
        self._errors: list[KafkaError] = []
        self._plain = {codec: self.producer(codec) for codec in CODECS}
        self._transactional = {codec: self.producer(codec, transactional=True) for codec in CODECS}
        self._next = 0
        self.ledger = Ledger()

    def producer(self, codec: str, *, transactional: bool = False) -> Producer:
        """An idempotent producer with small batches."""
        transaction = {"transactional.id": f"fuzz-{uuid.uuid4().hex}", "transaction.timeout.ms": 600_000}
        made = Producer(
            {
                "bootstrap.servers": self._kafka.bootstrap,
                "compression.type": codec,
                "enable.idempotence": True,
                "linger.ms": 20,
                "batch.size": BATCH_BYTES,
                "message.max.bytes": LARGEST_BYTES,
                "queue.buffering.max.messages": 200_000,
                "on_delivery": self._delivered,
                "log_level": 0,
                **(transaction if transactional else {}),
            }
        )
        if transactional:
            made.init_transactions(30)
        return made

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._errors.append(error)

    def send(self, n: int) -> None:
        """Sends ``n`` records that readers will see, each mutation at least once, and some that are aborted.

        Raises:
            ServiceUnavailableError: the broker refused some.
        """
        goal = len(self.ledger) + n
        for kind in self._topics:
            self._run(self._plain["zstd"], kind, 0, self._pools[kind].names)
        self._plain["zstd"].flush()
        while len(self.ledger) < goal:
            self._turn(goal)
        if self._errors:
            raise ServiceUnavailableError("Kafka", self._kafka.bootstrap, f"records were refused: {self._errors[0]}")

    def _turn(self, goal: int) -> None:
        """A run of records to every partition of both topics, by different producers side by side."""
        begun: dict[str, Style] = {}
        for kind in self._topics:
            for partition in range(self._kafka.partitions):
                n = min(self._chance.randrange(1, RUN_RECORDS), goal - len(self.ledger))
                names = self._pools[kind].choose(self._chance.choice(SHARES), n)
                codec, style = self._chance.choice(CODECS), self._chance.choice(STYLES)
                if style == "plain":
                    self._run(self._plain[codec], kind, partition, names)
                    continue
                if codec not in begun:
                    self._transactional[codec].begin_transaction()
                self._run(
                    self._transactional[codec], kind, partition, names,
                    visible=begun.setdefault(codec, style) == "committed",
                )  # fmt: skip
        for codec, style in begun.items():
            made = self._transactional[codec]
            made.flush()  # an abort would drop what is still queued here
            made.commit_transaction(60) if style == "committed" else made.abort_transaction(60)
        for made in self._plain.values():
            made.flush()

    def _run(self, made: Producer, kind: Kind, partition: int, names: list[str], *, visible: bool = True) -> None:
        """Queues one record a name, in order."""
        pool, topic = self._pools[kind], self._topics[kind]
        first, self._next = self._next, self._next + len(names)
        for number, name in enumerate(names, first):
            _produce(made, topic, partition, pool.record(name, number))
        if visible:
            self.ledger.names[topic, partition] += names
            self.ledger.numbers[topic, partition] += range(first, self._next)
        else:
            self.ledger.aborted += len(names)

    def sent(self) -> pl.DataFrame:
        """``topic, partition, nth, mutation, event_id`` of the ledger; ``nth`` counts within the partition."""
        prefix = {topic: pool_kind[0] for pool_kind, topic in self._topics.items()}
        parts = []
        for (topic, partition), names in self.ledger.names.items():
            numbers = pl.Series(self.ledger.numbers[topic, partition], dtype=pl.Int64).cast(pl.String).str.zfill(10)
            ids = prefix[topic] + numbers
            rows = pl.DataFrame({"topic": topic, "partition": partition, "mutation": names, "event_id": ids})
            parts.append(rows.with_row_index("nth"))
        return pl.concat(parts).cast({"partition": pl.Int32, "nth": pl.Int64})

    def leave_open(self, kind: Kind, partition: int, n: int) -> Producer:
        """Sends ``n`` valid records in a transaction that stays open and ``n`` plain ones behind it.

        Only the latter are in the ledger; the caller aborts.
        """
        made = self.producer("lz4", transactional=True)
        made.begin_transaction()
        self._run(made, kind, partition, ["plain"] * n, visible=False)
        made.flush()
        self._run(self._plain["lz4"], kind, partition, ["plain"] * n)
        self._plain["lz4"].flush()
        return made


def _produce(made: Producer, topic: str, partition: int, record: Record) -> None:
    while True:
        try:
            made.produce(topic, record.value, record.key, partition, headers=list(record.headers) or None)
        except BufferError:
            made.poll(0.1)
        else:
            return
