"""``kolray bench stream``: the whole engine on a real Kafka, rows to a Kafka topic as the published peers write them.

Measured from the moment every shard process is up until its last row is acknowledged: fetch, verify, decode, duplicate
filter, panes, two window kinds, JSON rows, produce. The broker's own CPU is not counted. Rows are then read back and
compared with a batch computation over the generated events.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from kolray.benchmarks.events import chunks
from kolray.benchmarks.rows import KafkaRows, NoCheckpoints, NoPublisher, compare_rows
from kolray.benchmarks.topics import temporary_topics
from kolray.clock import SystemClock
from kolray.connectors.producer import EventProducer
from kolray.errors import KolrayError
from kolray.events import RAW_TOPICS, Kind
from kolray.schemas.registry import FileRegistry
from kolray.settings import KafkaSettings, StreamSettings
from kolray.stream.decode import BatchDecoder
from kolray.stream.fetch import BatchFetcher
from kolray.stream.partition import PartitionRunner
from kolray.stream.shard import Shard
from kolray.stream.state import COLUMNS, new_state

WINDOWS = ("5m", "15m/5m")


@dataclass(frozen=True)
class StreamBench:
    """Figures of one run; ``cores`` = CPU seconds per wall second."""

    events: int
    rows: int
    rows_wrong: int
    shards: int
    wall_s: float
    cpu_s: float
    cores: float
    events_per_second: int
    events_per_cpu_second: int
    peak_rss_mb: int


def run(kafka: KafkaSettings, n_events: int, shards: int, n_kols: int = 2000, seed: int = 7) -> StreamBench:
    """Produces ``n_events`` into topics of its own, runs ``shards`` processes over them, compares, cleans up."""
    suffix = f".bench-{uuid.uuid4().hex[:8]}"
    topics: dict[Kind, str] = {kind: topic + suffix for kind, topic in RAW_TOPICS.items()}
    output = f"bench.rows{suffix}"
    with temporary_topics(kafka, [*topics.values(), output]):
        producer = EventProducer(kafka, FileRegistry(), topics=topics)
        for kind, frame in chunks(n_events, n_kols, seed):
            producer.send(kind, frame, timestamps_ms=frame["event_time"].dt.epoch("ms"))
        producer.flush()
        results, wall_s = _measure(kafka, topics, output, shards)
        rows, wrong = compare_rows(kafka, output, chunks(n_events, n_kols, seed), WINDOWS)
    events, cpu_s = sum(r["events"] for r in results), sum(r["cpu_s"] for r in results)
    return StreamBench(
        events=events,
        rows=rows,
        rows_wrong=wrong,
        shards=shards,
        wall_s=round(wall_s, 2),
        cpu_s=round(cpu_s, 2),
        cores=round(cpu_s / wall_s, 2),
        events_per_second=round(events / wall_s),
        events_per_cpu_second=round(events / cpu_s),
        peak_rss_mb=round(sum(r["peak_rss_mb"] for r in results)),
    )


def _measure(
    kafka: KafkaSettings, topics: dict[Kind, str], output: str, shards: int
) -> tuple[list[dict[str, Any]], float]:
    spawn = multiprocessing.get_context("spawn")
    numbers, ends, processes = range(kafka.partitions), [], []
    for i in range(shards):
        mine, theirs = spawn.Pipe()
        process = spawn.Process(target=_shard_process, args=(kafka, topics, output, list(numbers[i::shards]), theirs))
        process.start()
        theirs.close()  # so that a process that dies is an EOFError here instead of silence
        ends.append(mine)
        processes.append(process)
    try:
        for end in ends:
            end.recv()
        for end in ends:
            end.send("go")
        started = time.monotonic()
        results = [end.recv() for end in ends]
        wall_s = time.monotonic() - started
    except EOFError as error:
        raise KolrayError("a shard process of the benchmark died; its own error stands above") from error
    finally:
        for process in processes:
            process.join(10)
            process.kill()
    return results, wall_s


def _shard_process(
    kafka: KafkaSettings, topics: dict[Kind, str], output: str, partitions: list[int], control: Any
) -> None:
    rows = KafkaRows(kafka, output)
    settings = StreamSettings(windows=WINDOWS, checkpoint_interval_s=10)
    runners = {
        number: PartitionRunner(number, new_state(settings), NoCheckpoints(), NoPublisher(), rows, SystemClock(), {})
        for number in partitions
    }
    decoder = BatchDecoder(FileRegistry(), columns=COLUMNS)
    shard = Shard(
        runners, lambda starts: BatchFetcher(kafka, starts), decoder, settings, SystemClock(),
        until_end=True, topics=topics,
    )  # fmt: skip
    shard.restore()
    control.send("ready")
    control.recv()
    before = time.process_time()
    while not shard.finished:
        shard.step()
    cpu_s = time.process_time() - before
    events = sum(asdict(runner.state.counters)["events"] for runner in runners.values())
    control.send({"events": events, "cpu_s": cpu_s, "peak_rss_mb": _peak_rss_mb()})
    shard.close()


def _peak_rss_mb() -> float:
    """Highest resident memory of this process so far, shared pages included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
