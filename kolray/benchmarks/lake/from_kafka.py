"""Bronze from a real broker: what reading, decoding and writing a row costs.

The broker is one of its own, in a temporary folder: bronze reads whole topics, and what others have in theirs is not to
be measured. ``python -m kolray.benchmarks.lake.from_kafka ROUNDS`` is what is measured; each round writes a lake of its
own, and the marks enclose the last.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kolray.benchmarks.events import chunks
from kolray.benchmarks.stream.meter import measure
from kolray.benchmarks.topics import temporary_topics
from kolray.connectors.producer import EventProducer
from kolray.errors import KolrayError
from kolray.lake.bronze import TABLE_OF_TOPIC
from kolray.local.kafka import kafka
from kolray.local.profiles import one_server
from kolray.schemas.registry import FileRegistry
from kolray.settings import Settings, load_settings

ROUNDS = 2
HOME = "KOLRAY_HOME"


@dataclass(frozen=True)
class FromKafka:
    """Figures of the last round; Ray's own processes are in the CPU seconds, the broker is not."""

    bronze_rows: int
    bronze_rows_per_cpu_s: int
    bronze_rows_per_s: int
    bronze_peak_rss_mb: int


def from_kafka(n_events: int) -> FromKafka:
    """Social and web events, four to one, through a broker's two raw topics into bronze.

    Raises:
        ServiceUnavailableError: no Java or Maven, or the broker did not start.
        KolrayError: rows were lost or doubled.
    """
    with tempfile.TemporaryDirectory(prefix="kolray-bench-") as folder, one_server(kafka, Path(folder)):
        settings = load_settings(home=Path(folder))
        with temporary_topics(settings.kafka, list(TABLE_OF_TOPIC)):
            _send(settings, n_events)
            engine = [sys.executable, "-m", "kolray.benchmarks.lake.from_kafka", str(ROUNDS)]
            measured = measure(engine, env=os.environ | {HOME: folder})
    wall_s, cpu_s = measured.between("@job_start")
    rows = int(measured.last)
    if rows != n_events:
        raise KolrayError(f"bronze has {rows:,} rows of {n_events:,} events")
    return FromKafka(rows, round(rows / cpu_s), round(rows / wall_s), round(measured.meter.peak_pss_mb))


def _send(settings: Settings, n_events: int) -> None:
    producer = EventProducer(settings.kafka, FileRegistry())
    for kind, frame in chunks(n_events, n_kols=2000, seed=5):
        producer.send(kind, frame, timestamps_ms=frame["event_time"].dt.epoch("ms"))
    producer.flush()


def main() -> None:
    """The command of the module's docstring; prints the rows of the last round."""
    from kolray.lake.bronze_pipeline import run_bronze
    from kolray.local.cluster import join_ray

    join_ray()
    rounds, added = int(sys.argv[1]), {}
    for number in range(rounds):
        settings = load_settings(lake={"root": f"{os.environ[HOME]}/lake-{number}"})
        if number == rounds - 1:
            print("@job_start", flush=True)
        added = run_bronze(settings)
    print("@job_end", flush=True)
    print(sum(added.values()), flush=True)


if __name__ == "__main__":
    main()
