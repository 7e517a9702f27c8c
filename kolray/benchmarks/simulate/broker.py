"""A broker in memory: logs that grow, transactions that fence, offsets with metadata; and the stream's clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from kafka.errors import KafkaTimeoutError, ProducerFencedError

from kolray.stream.fetch import RawBatch

Place = tuple[str, int]


class Owner(Protocol):
    """The process behind a client: every effect passes here, and may be the last one."""

    def at(self, boundary: str) -> bool:
        """An effect boundary is reached. True: the answer is lost, though the effect may have happened."""
        ...

    def away(self, service: str) -> bool:
        """The service does not answer now."""
        ...


@dataclass
class Transaction:
    """Records and offsets that become visible together or never."""

    records: list[tuple[str, bytes]] = field(default_factory=list)
    offsets: dict[Any, Any] = field(default_factory=dict)


class Broker:
    """What survives every crash of a client."""

    def __init__(self, places: list[Place]) -> None:
        self.logs: dict[Place, list[RawBatch]] = {place: [] for place in places}
        self.committed: list[tuple[str, bytes]] = []
        """(topic, value) of committed records in their order: what a reader with ``read_committed`` sees."""
        self.offsets: dict[Any, Any] = {}
        self.complete = False
        """Nothing more will arrive: a bounded run may read to the end."""
        self._epochs: dict[str, int] = {}

    def append(self, place: Place, batch: RawBatch) -> None:
        """A producer's batch arrives."""
        self.logs[place].append(batch)

    def end(self, place: Place) -> int:
        """The offset after the newest record."""
        log = self.logs[place]
        return log[-1].last_offset + 1 if log else 0

    def claim(self, transactional_id: str) -> int:
        """A new producer epoch; what an earlier one left open is aborted, as nothing of it was visible."""
        self._epochs[transactional_id] = self._epochs.get(transactional_id, 0) + 1
        return self._epochs[transactional_id]

    def check(self, transactional_id: str, epoch: int) -> None:
        """Raises ``ProducerFencedError`` for all but the newest epoch."""
        if self._epochs[transactional_id] != epoch:
            raise ProducerFencedError(f"{transactional_id}: epoch {epoch} is not the newest")

    def commit(self, transaction: Transaction) -> None:
        """Makes a transaction visible."""
        self.committed += transaction.records
        self.offsets |= transaction.offsets


class MemoryProducer:
    """``KafkaProducer`` as far as a publisher uses it."""

    def __init__(self, broker: Broker, owner: Owner, transactional_id: str) -> None:
        self._broker, self._owner, self._id = broker, owner, transactional_id
        self._epoch = 0
        self._open = Transaction()

    def init_transactions(self) -> None:
        self._reach("fence before")
        self._epoch = self._broker.claim(self._id)
        self._reach("fence after")

    def begin_transaction(self) -> None:
        self._open = Transaction()

    def send(self, topic: str, value: bytes, key: bytes) -> None:
        del key
        self._reach("produce")
        self._broker.check(self._id, self._epoch)
        self._open.records.append((topic, value))

    def send_offsets_to_transaction(self, offsets: dict[Any, Any], group: str) -> None:
        del group
        self._broker.check(self._id, self._epoch)
        self._open.offsets |= offsets

    def commit_transaction(self) -> None:
        self._reach("commit before")
        self._broker.check(self._id, self._epoch)
        self._broker.commit(self._open)
        self._reach("commit after")

    def _reach(self, boundary: str) -> None:
        if self._owner.at(boundary) or self._owner.away("broker"):
            raise KafkaTimeoutError(f"no answer at {boundary}")

    def close(self) -> None: ...


class MemoryConsumer:
    """``KafkaConsumer`` as far as a publisher uses it."""

    def __init__(self, broker: Broker, owner: Owner) -> None:
        self._broker, self._owner = broker, owner

    def committed(self, place: Any, *, metadata: bool) -> Any:
        assert metadata  # noqa: S101 - the double knows no other way
        if self._owner.at("ask committed") or self._owner.away("broker"):
            raise KafkaTimeoutError("no answer to the committed offsets")
        return self._broker.offsets.get(place)

    def close(self) -> None: ...


class MemoryReader:
    """A ``BatchSource`` that returns what has arrived in portions of any size, one topic ahead of the other at will."""

    def __init__(self, broker: Broker, owner: Owner, chance: Random, starts: dict[Place, int]) -> None:
        self._broker, self._owner, self._chance = broker, owner, chance
        self._positions = dict(starts)
        self._highs: dict[Place, int] = {}
        self._bounded = False

    def poll(self, timeout_s: float) -> list[RawBatch]:
        del timeout_s
        out: list[RawBatch] = []
        self._owner.at("poll")
        if self._broker.complete and not self._bounded:
            self._bounded, self._highs = True, {}  # an end known from before is not the input's end
        if self._owner.away("broker"):
            return out
        for place in self._chance.sample(list(self._positions), len(self._positions)):
            if self._chance.random() < 0.15:
                continue  # a stalled fetch
            self._highs[place] = self._broker.end(place)
            wanted = self._chance.choice((1, 2, 9))
            ready = [b for b in self._broker.logs[place] if b.last_offset >= self._positions[place]][:wanted]
            if ready:
                self._positions[place] = ready[-1].last_offset + 1
                out += ready
        return out

    def at_end(self, topic: str, partition: int) -> bool:
        return self.lag(topic, partition) == 0

    def lag(self, topic: str, partition: int) -> int | None:
        place = topic, partition
        return max(0, self._highs[place] - self._positions[place]) if place in self._highs else None

    def close(self) -> None: ...
