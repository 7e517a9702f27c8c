"""The stream as one engine among others: reads two topics to their end, writes window rows to a third.

``python -m kolray.benchmarks.stream.engine JSON`` with the fields of ``Work``. It prints ``@job_start`` before its
shard processes start, ``@ready`` when each is about to read, and ``@job_end`` when the last row is acknowledged; then
one JSON object.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kolray.clock import SystemClock
from kolray.errors import KolrayError
from kolray.events import RAW_TOPICS, Kind
from kolray.schemas.registry import open_registry
from kolray.settings import KafkaSettings, StreamSettings

WINDOWS = ("5m", "15m/5m")
CHECKPOINT_S = 10.0


@dataclass(frozen=True)
class Work:
    """What to read and where to write. ``suffix`` follows the names of both raw topics; ``registry``: none, ours."""

    bootstrap: str
    partitions: int
    suffix: str
    output: str
    registry: str | None = None
    shards: int = 2
    windows: tuple[str, ...] = WINDOWS
    metrics_url: str | None = None
    redis_url: str | None = None
    """Write rows to these stores instead of a topic."""

    @property
    def topics(self) -> dict[Kind, str]:
        """The topic of each kind of event."""
        return {kind: topic + self.suffix for kind, topic in RAW_TOPICS.items()}

    @property
    def kafka(self) -> KafkaSettings:
        """Where they are."""
        return KafkaSettings(bootstrap=self.bootstrap, partitions=self.partitions)


class NoPublisher:
    """No outputs beside rows."""

    def open(self) -> None: ...

    def unpublished(self, snapshot: object) -> dict[str, Any]:
        return {}

    def publish(self, snapshot: object) -> None: ...

    def close(self) -> None: ...


def run(work: Work) -> dict[str, Any]:
    """Runs the shard processes; returns their summed counters."""
    os.environ["POLARS_MAX_THREADS"] = "1"  # a process a core: more threads would only take turns
    spawn = multiprocessing.get_context("spawn")
    ends, processes = [], []
    with tempfile.TemporaryDirectory(prefix="kolray-bench-") as folder:
        for i in range(work.shards):
            mine, theirs = spawn.Pipe()
            partitions = list(range(i, work.partitions, work.shards))
            process = spawn.Process(target=_shard, args=(work, partitions, folder, theirs))
            process.start()
            theirs.close()  # so that a process that dies is an EOFError here instead of silence
            ends.append(mine)
            processes.append(process)
        try:
            for end in ends:
                end.recv()
            print("@ready", flush=True)
            for end in ends:
                end.send("go")
            counters = [end.recv() for end in ends]
        except EOFError as error:
            raise KolrayError("a shard process of the benchmark died; its own error stands above") from error
        finally:
            for process in processes:
                process.join(10)
                process.kill()
    return {name: sum(part[name] for part in counters) for name in counters[0]}


def _shard(work: Work, partitions: list[int], folder: str, control: Any) -> None:
    from kolray.stream.checkpoint import FolderCheckpoints
    from kolray.stream.decode import BatchDecoder
    from kolray.stream.fetch import BatchFetcher
    from kolray.stream.partition import PartitionRunner
    from kolray.stream.shard import Shard
    from kolray.stream.state import COLUMNS, new_state
    from kolray.stream.warm import warm_up

    settings = StreamSettings(windows=work.windows, checkpoint_interval_s=CHECKPOINT_S)
    clock, writers = SystemClock(), _writers(work, partitions)
    runners = {
        number: PartitionRunner(
            number, new_state(settings, rules=()), FolderCheckpoints(Path(folder)), NoPublisher(),
            writers[number], clock, {},
        )
        for number in partitions
    }  # fmt: skip
    shard = Shard(
        runners,
        lambda starts: BatchFetcher(work.kafka, starts),
        BatchDecoder(open_registry(work.registry), columns=COLUMNS),
        settings,
        clock,
        until_end=True,
        topics=work.topics,
    )
    warm_up()
    shard.restore()
    control.send("ready")
    control.recv()
    while not shard.finished:
        shard.step()
    totals = [asdict(runner.state.counters) for runner in runners.values()]
    control.send({name: sum(part[name] for part in totals) for name in totals[0]})
    shard.close()


def _writers(work: Work, partitions: list[int]) -> dict[int, Any]:
    """Where the rows of each partition go."""
    if work.metrics_url and work.redis_url:
        from kolray.settings import RedisSettings
        from kolray.stores.cassandra import CassandraStore
        from kolray.stores.features import FeatureStore
        from kolray.stream.sinks import StoreWriter

        writer = StoreWriter(CassandraStore(work.metrics_url), FeatureStore(RedisSettings(url=work.redis_url)))
        return dict.fromkeys(partitions, writer)
    from kolray.benchmarks.stream.rows import KafkaRows, open_producer

    producer = open_producer(work.kafka)
    return {number: KafkaRows(producer, work.output, number) for number in partitions}


def main() -> None:
    """The command of the module's docstring."""
    given = json.loads(sys.argv[1])
    work = Work(**given | {"windows": tuple(given.get("windows", WINDOWS))})
    print("@job_start", flush=True)
    counters = run(work)
    print("@job_end", flush=True)
    print(json.dumps(counters), flush=True)


if __name__ == "__main__":
    main()
