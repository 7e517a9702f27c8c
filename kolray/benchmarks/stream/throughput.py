"""Throughput: both topics, two kinds of windows, duplicate filter on, rows to a Kafka topic; every row compared."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import polars as pl

from kolray.benchmarks.events import PER_SECOND, chunks
from kolray.benchmarks.stream.engine import Work
from kolray.benchmarks.stream.meter import Measured, measure
from kolray.benchmarks.stream.results import differences, read_rows, steady
from kolray.benchmarks.topics import temporary_topics
from kolray.connectors.producer import EventProducer
from kolray.events import Kind
from kolray.schemas.registry import FileRegistry
from kolray.settings import KafkaSettings

FEW_KOLS = 2000
"""As many as the published comparison has."""


@dataclass(frozen=True)
class Throughput:
    """Figures of one run.

    ``events_per_second`` and ``events_per_cpu_second`` are of the steady part, between 30 and 90 % of the events, where
    the run is long enough to have one (``steady``), else of all events once the processes are up. ``job_…`` is of the
    whole job, start of the processes included.
    ``peak_rss_mb`` is proportional memory (PSS) of all processes.
    """

    events: int
    n_kols: int
    shards: int
    rows: int
    rows_wrong: int
    steady: bool
    events_per_second: int
    events_per_cpu_second: int
    job_wall_s: float
    job_cpu_s: float
    job_events_per_second: int
    job_events_per_cpu_second: int
    peak_rss_mb: int


def throughput(
    kafka: KafkaSettings,
    n_events: int,
    shards: int,
    n_kols: int = FEW_KOLS,
    seed: int = 7,
) -> Throughput:
    """Produces events into topics of its own, runs the engine over them, compares, cleans up.

    However many KOLs there are, each has as many events in a window.
    """
    suffix = f".bench-{uuid.uuid4().hex[:8]}"
    per_second = PER_SECOND * n_kols // FEW_KOLS

    def events() -> Iterator[tuple[Kind, pl.DataFrame]]:
        return chunks(n_events, n_kols, seed, per_second=per_second)

    work = Work(kafka.bootstrap, kafka.partitions, suffix, f"bench.rows{suffix}", shards=shards)
    appended = {work.output: {"message.timestamp.type": "LogAppendTime"}}
    with temporary_topics(kafka, [*work.topics.values(), work.output], appended):
        send_all(work, events())
        measured = run_engine(work)
        rows = read_rows(kafka, work.output)
    wrong = differences(rows, events())
    return figures(work, measured, n_kols, rows.height, wrong, steady(rows, n_events, measured.meter))


def send_all(work: Work, events: Iterable[tuple[Kind, pl.DataFrame]]) -> None:
    """Events into the topics of the work, each with its own time as the record's timestamp."""
    producer = EventProducer(work.kafka, FileRegistry(), topics=work.topics)
    for kind, frame in events:
        producer.send(kind, frame, timestamps_ms=frame["event_time"].dt.epoch("ms"))
    producer.flush()


def run_engine(work: Work) -> Measured:
    """The engine as a command of its own."""
    return measure([sys.executable, "-m", "kolray.benchmarks.stream.engine", json.dumps(asdict(work))])


def figures(
    work: Work, measured: Measured, n_kols: int, n_rows: int, wrong: int, rate: tuple[float, float] | None
) -> Throughput:
    """The figures of a measured run."""
    events = json.loads(measured.last)["events"]
    (up_s, up_cpu_s), (wall_s, cpu_s) = measured.between("@ready"), measured.between("@job_start")
    per_second, per_cpu_second = rate or (events / up_s, events / up_cpu_s)
    return Throughput(
        events=events,
        n_kols=n_kols,
        shards=work.shards,
        rows=n_rows,
        rows_wrong=wrong,
        steady=rate is not None,
        events_per_second=round(per_second),
        events_per_cpu_second=round(per_cpu_second),
        job_wall_s=round(wall_s, 2),
        job_cpu_s=round(cpu_s, 2),
        job_events_per_second=round(events / wall_s),
        job_events_per_cpu_second=round(events / cpu_s),
        peak_rss_mb=round(measured.meter.peak_pss_mb),
    )
