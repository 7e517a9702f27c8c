"""Continuous bronze: a follower reads some partitions of every topic without end and commits what came, every interval.

All that it knows stands in the transaction ids of the tables. One that died, or that another run overtook, begins again
from there; so two followers of a partition lose and double nothing, they only do the same work.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from kolray.clock import Clock
from kolray.events import Columns, Kind
from kolray.lake.bronze import by_table, open_fetcher, plan_bronze, records_in, rows_of
from kolray.lake.bronze_files import commit_bronze, held_at_start, write_bronze
from kolray.lake.contract import read_contract
from kolray.lake.tables import LakeTables
from kolray.lake.turns import lake_job
from kolray.schemas.registry import open_registry
from kolray.settings import Settings
from kolray.stream.decode import BatchDecoder
from kolray.stream.denied import open_deny_list
from kolray.stream.fetch import RawBatch
from kolray.stream.supervision import LASTING, pause_s

log = logging.getLogger(__name__)
MUCH = 1_000_000
"""Records that are committed before their time: a follower that is far behind."""
POLL_S = 0.2
FOLLOW_FILE = "follow.json"
"""Under home: what `kolray lake bronze --follow` says about itself each second, for the exporter."""


def shares(partitions: int, followers: int) -> list[list[int]]:
    """Partition numbers of each follower.

    >>> shares(4, 3), shares(1, 2)
    ([[0, 3], [1], [2]], [[0]])
    """
    return [list(range(partitions)[i::followers]) for i in range(min(partitions, followers))]


class Follower:
    """Micro-batches of some partitions of every topic.

    Args:
        partitions: their numbers; they must be no other follower's, or both work in vain.

    Raises:
        ServiceUnavailableError: Kafka does not answer.
        SchemaError: a schema registered for a raw topic breaks the contract.
    """

    def __init__(self, settings: Settings, partitions: list[int], clock: Clock) -> None:
        self.added: Counter[str] = Counter()
        self.rounds = 0
        self._settings, self._clock, self._numbers = settings, clock, partitions
        self._tables = LakeTables(settings.lake_root)
        self._registry, self._denied = open_registry(settings.registry.url), open_deny_list(settings)
        self._begin()

    def _begin(self) -> None:
        """From where the tables stand."""
        plan = plan_bronze(self._tables, self._settings.kafka.partitions)
        tasks = [task for task in plan if task.partition in self._numbers]
        self._held = held_at_start(tasks)
        self._waiting: list[RawBatch] = []
        self._know(read_contract(self._registry, self._tables))
        self._fetcher = open_fetcher(self._settings, tasks)
        self._due_at = self._clock.monotonic() + self._settings.lake.follow_s

    def _know(self, extra: dict[Kind, Columns]) -> None:
        self._extra, seconds = extra, self._settings.stream.far_future_s
        self._decoder = BatchDecoder(self._registry, seconds, extra=extra, denied=self._denied)

    def step(self) -> None:
        """Waits for records, at most 0.2 s; commits what came when the interval is over, or much has come.

        Raises:
            KolrayError: it has to begin again.
        """
        self._waiting += self._fetcher.poll(POLL_S)
        if self._clock.monotonic() >= self._due_at or records_in(self._waiting) >= MUCH:
            self.commit()

    def commit(self) -> None:
        """Makes what came visible. Waits where an erasure is at work, and leaves out whom it has erased."""
        with lake_job(self._settings.lake_root):
            undisturbed = not self._waiting or self._write()
        self._due_at = self._clock.monotonic() + self._settings.lake.follow_s
        self.rounds += 1
        if not undisturbed:
            log.warning("another run reads partitions %s into bronze too; going on after it", self._numbers)
            self._fetcher.close()
            self._begin()

    def _write(self) -> bool:
        """One commit a table; False where another run was faster. A schema that is new brings its columns."""
        self._denied.look(now=True)
        extra = read_contract(self._registry, self._tables)
        if extra != self._extra:
            self._know(extra)
        read = rows_of(self._decoder, self._denied, self._waiting, self._clock.now())
        further = by_table("bronze", extra)
        files = list(write_bronze(self._tables, read, further))
        added, undisturbed = commit_bronze(self._tables, files, self._held, further)
        self.added.update(added)
        for file in files:
            self._held |= {source: max(end, self._held[source] or 0) for source, end in file.ends.items()}
        self._waiting = []
        return undisturbed

    def close(self) -> None:
        """Ends without a commit: whoever begins again reads what was not committed."""
        self._fetcher.close()


def follow(
    settings: Settings,
    partitions: list[int],
    clock: Clock,
    stopped: Callable[[], bool],
    tell: Callable[[Counter[str]], None],
    *,
    patient: bool = False,
) -> None:
    """Follows until ``stopped``; after an error that time may mend it begins again, with growing pauses.

    Args:
        tell: is given the rows added to each table, after each round.
        patient: wait for services also where none has answered yet.

    Raises:
        KolrayError: an error that the same start would meet again.
    """
    done: Counter[str] = Counter()
    failures, began = 0, patient
    while not stopped():
        follower = None
        try:
            follower = Follower(settings, partitions, clock)
            began = True
            while not stopped():
                follower.step()
                failures = 0 if follower.rounds else failures
                tell(done + follower.added)
            follower.commit()
            tell(done + follower.added)
        except Exception as error:
            if isinstance(error, LASTING) or not began:
                raise
            failures += 1
            log.warning("partitions %s: %s: %s; begun again", partitions, type(error).__name__, error)
            clock.sleep(pause_s(failures))
        if follower is not None:
            done += follower.added
            follower.close()
