"""How long after its watermark a closed window's rows are in Kafka, under an even load, as the peers measure it."""

from __future__ import annotations

import multiprocessing
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kolray.benchmarks.live.sending import Load, Sent, send_apart
from kolray.benchmarks.rows import KafkaRows, NoCheckpoints, NoPublisher
from kolray.benchmarks.topics import temporary_topics
from kolray.clock import SystemClock
from kolray.errors import KolrayError
from kolray.events import RAW_TOPICS, Kind
from kolray.schemas.registry import open_registry
from kolray.settings import KafkaSettings, StreamSettings
from kolray.stores.metrics import Version
from kolray.stream.decode import BatchDecoder
from kolray.stream.fetch import BatchFetcher
from kolray.stream.partition import PartitionRunner
from kolray.stream.shard import Shard
from kolray.stream.state import COLUMNS, new_state
from kolray.stream.values import records_of
from kolray.stream.warm import warm_up

WINDOW, WINDOW_MS = "10s", 10_000
DISORDER_S = 5.0
"""What the watermark waits; not part of the figures."""
Topics = dict[Kind, str]


@dataclass(frozen=True)
class Finals:
    """Figures of one run; seconds from the moment the watermark passes a window's end to the broker's append time.

    The first and the last window are left out. ``events_counted`` of ``events_sent`` are in the rows of all windows
    that closed, the last ones by the clock.
    """

    events_sent: int
    events_counted: int
    events_per_second: int
    rows: int
    windows: int
    final_p50_s: float
    final_p99_s: float
    final_max_s: float
    producer_behind_s: float
    shards_cpu_s: float


def finals(
    kafka: KafkaSettings,
    registry_url: str | None = None,
    seconds: float = 75,
    rate: int = 5000,
    n_kols: int = 2000,
    shards: int = 2,
) -> Finals:
    """Social events of the present through shards as plain processes; rows of tumbling windows of 10 s go to Kafka.

    Raises:
        ServiceUnavailableError: Kafka does not answer.
        KolrayError: a process of the bench died.
    """
    suffix = f".bench-{uuid.uuid4().hex[:8]}"
    topics: Topics = {kind: topic + suffix for kind, topic in RAW_TOPICS.items()}
    output = f"bench.rows{suffix}"
    load = Load(rate, seconds, n_kols, web=False)
    with temporary_topics(kafka, [*topics.values(), output], {output: {"message.timestamp.type": "LogAppendTime"}}):
        sent, cpu_s = _under_load(kafka, registry_url, topics, output, load, shards)
        rows = read_appended(kafka, output)
    late = beyond(rows)
    return Finals(
        events_sent=sent.events,
        events_counted=int(rows.group_by("kol_id", "window_start").agg(pl.col("events").max())["events"].sum()),
        events_per_second=round(sent.events / sent.wall_s),
        rows=rows.height,
        windows=rows["window_start"].n_unique(),
        final_p50_s=_seconds(late.quantile(0.5)),
        final_p99_s=_seconds(late.quantile(0.99)),
        final_max_s=_seconds(late.quantile(1.0)),
        producer_behind_s=round(sent.behind_s, 3),
        shards_cpu_s=round(cpu_s, 2),
    )


def _seconds(ms: float | None) -> float:
    return round((ms or 0.0) / 1000, 3)


def _under_load(
    kafka: KafkaSettings, registry_url: str | None, topics: Topics, output: str, load: Load, shards: int
) -> tuple[Sent, float]:
    """What was sent, and the CPU seconds of the shards; they end once the last windows have closed."""
    spawn, processes = multiprocessing.get_context("spawn"), []
    ends: list[Any] = []
    jobs: list[tuple[Any, tuple[Any, ...]]] = [
        (run_shard, (kafka, registry_url, topics, output, range(kafka.partitions)[i::shards])) for i in range(shards)
    ]
    try:
        for target, arguments in [*jobs, (send_apart, (kafka, registry_url, load, topics))]:
            mine, theirs = spawn.Pipe()
            process = spawn.Process(target=target, args=(theirs, *arguments), daemon=True)
            if target is send_apart:  # only once every shard is there
                for end in ends:
                    end.recv()
            process.start()
            theirs.close()  # so that a process that dies is an EOFError here instead of silence
            processes.append(process)
            ends.append(mine)
        sent: Sent = ends.pop().recv()
        SystemClock().sleep(2 * WINDOW_MS / 1000 + DISORDER_S)  # the last window ends, and the clock passes it
        for end in ends:
            end.send("stop")
        return sent, sum(end.recv() for end in ends)
    except EOFError as error:
        raise KolrayError("a process of the benchmark died; its own error stands above") from error
    finally:
        for process in processes:
            process.kill()
            process.join()


class FinalRows(KafkaRows):
    """Leaves provisional rows out: the peers have none."""

    def windows(self, rows: pl.DataFrame, version: Version) -> None:
        """Hands final rows to the producer's queue."""
        if rows.height and rows["final"].all():
            super().windows(rows, version)


def run_shard(
    control: Any,
    kafka: KafkaSettings,
    registry_url: str | None,
    topics: Topics,
    output: str,
    partitions: Sequence[int],
) -> None:
    """A shard as a process: tells ``control`` that it runs, and at the end its CPU seconds."""
    settings = StreamSettings(windows=(WINDOW,), disorder_s=DISORDER_S, checkpoint_interval_s=10)
    rows, clock = FinalRows(kafka, output), SystemClock()
    runners = {
        number: PartitionRunner(number, new_state(settings), NoCheckpoints(), NoPublisher(), rows, clock, {})
        for number in partitions
    }
    decoder = BatchDecoder(open_registry(registry_url), columns=COLUMNS)
    shard = Shard(runners, lambda starts: BatchFetcher(kafka, starts), decoder, settings, clock, topics=topics)
    warm_up()
    shard.restore()
    shard.step()
    control.send("ready")
    before = time.process_time()
    while not control.poll():
        shard.step()
    shard.close()
    control.send(time.process_time() - before)


def read_appended(kafka: KafkaSettings, topic: str) -> pl.DataFrame:
    """Rows of a topic: ``kol_id``, ``window_start`` and ``appended_ms`` (ms), ``events``."""
    fetcher = BatchFetcher(kafka, {(topic, p): 0 for p in range(kafka.partitions)})
    fields = pl.Struct({"kol_id": pl.String, "window_start": pl.Int64, "events": pl.Int64})
    parts = []
    while not fetcher.caught_up():
        for batch in fetcher.poll(1.0):
            texts = records_of(batch)["value"].cast(pl.String)
            rows = texts.str.json_decode(fields).struct.unnest()
            parts.append(rows.with_columns(appended_ms=pl.lit(batch.append_ms, pl.Int64)))
    fetcher.close()
    return pl.concat(parts)


def beyond(rows: pl.DataFrame) -> pl.Series:
    """Milliseconds from each window's end and the watermark's wait to its row; without the first and last window."""
    starts = rows["window_start"].unique().sort()
    kept = rows.filter(pl.col("window_start").is_in(starts[1:-1].implode())) if len(starts) > 3 else rows
    return kept["appended_ms"] - kept["window_start"] - WINDOW_MS - int(DISORDER_S * 1000)
