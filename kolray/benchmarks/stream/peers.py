"""Another engine on the same events and the same broker in the same session: only such ratios say anything.

``DIR`` is a prepared folder of the published comparison: its own tools make the events, run Apache Flink, and compare
every row of either engine with its own batch computation.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kolray.benchmarks.prepared import check_prepared
from kolray.benchmarks.stream.engine import Work
from kolray.benchmarks.stream.results import read_rows, steady
from kolray.benchmarks.stream.throughput import Throughput, figures, run_engine
from kolray.benchmarks.topics import delete_topics, temporary_topics
from kolray.errors import KolrayError, SettingsError
from kolray.settings import KafkaSettings

NEEDED = ("bench.sh", "check.py", "make_events.py", "run_flink.py", "venv/tools/bin/python", "venv/flink/bin/python")
AGREES = "AGREES"


@dataclass(frozen=True)
class Beside:
    """Ours, and Flink's figures of its steady part; ``agrees``: every row of both equals the comparison's own batch."""

    ours: Throughput
    flink_events_per_second: int
    flink_events_per_cpu_second: int
    flink_peak_rss_mb: int
    agrees: bool


@dataclass(frozen=True)
class Peers:
    """The prepared folder, the broker, and the schema registry that Flink asks."""

    folder: Path
    kafka: KafkaSettings
    registry: str

    def __post_init__(self) -> None:
        check_prepared(self.folder, NEEDED)
        if self.kafka.partitions != 4:
            raise SettingsError("the comparison's topics have 4 partitions: set KOLRAY_KAFKA__PARTITIONS=4")

    def throughput(self, n_events: int, shards: int) -> Beside:
        """Makes events, runs Flink, then ours, over the same topics; cleans up."""
        with self._events(n_events) as (suffix, parquet):
            flink = self._flink(suffix, parquet, n_events)
            ours, agrees = self._ours(suffix, parquet, n_events, shards)
        return Beside(
            ours=ours,
            flink_events_per_second=round(flink["steady_events_per_s"]),
            flink_events_per_cpu_second=round(flink["steady_events_per_cpu_s"]),
            flink_peak_rss_mb=round(flink["peak_rss_mib"]),
            agrees=agrees and bool(flink["agrees"]),
        )

    def final_p99_s(self) -> float:
        """Flink's window end → row in Kafka beyond the watermark, at 5,000 events a second, tumbling 10 s."""
        suffix = f".peers-{uuid.uuid4().hex[:8]}"
        output = f"out.flink{suffix}"
        with tempfile.TemporaryDirectory(prefix="kolray-peers-") as results:
            try:
                command = self._flink_command(suffix, output, "--live", "100")
                found = self._bench(Path(results), "live", "flink-live", suffix, output, *command)
            finally:
                delete_topics(self.kafka, [f"events.social.raw{suffix}", output])
        return round(found["p99_beyond_watermark_ms"] / 1000, 3)

    @contextmanager
    def _events(self, n_events: int) -> Iterator[tuple[str, Path]]:
        suffix = f".peers-{uuid.uuid4().hex[:8]}"
        with tempfile.TemporaryDirectory(prefix="kolray-peers-") as folder:
            n = str(n_events * 4 // 5)
            self._tool("make_events.py", "batch", "--n", n, "--suffix", suffix, "--parquet", folder,
                       "--registry", self.registry)  # fmt: skip
            try:
                yield suffix, Path(folder)
            finally:
                delete_topics(
                    self.kafka, [f"events.social.raw{suffix}", f"events.web.raw{suffix}", f"out.flink{suffix}"]
                )

    def _flink(self, suffix: str, parquet: Path, n_events: int) -> dict[str, float]:
        output = f"out.flink{suffix}"
        command = self._flink_command(suffix, output)
        found = self._bench(parquet / "results", "stream", "flink", str(n_events), output, str(parquet), *command)
        if "steady_events_per_cpu_s" not in found:
            raise KolrayError(f"{n_events:,} events are too few for a steady part of Flink's run")
        return found

    def _flink_command(self, suffix: str, output: str, *more: str) -> list[str]:
        return [
            str(self.folder / "venv/flink/bin/python"), str(self.folder / "run_flink.py"),
            "--jars", str(self.folder / "jars/flink"), "--registry", self.registry, "--suffix", suffix,
            "--output", output, "--broker", self.kafka.bootstrap, *more,
        ]  # fmt: skip

    def _bench(self, results: Path, *arguments: str) -> dict[str, float]:
        """The comparison's own measurement of one run: every number it prints, and whether its rows ``agree``."""
        told = {"TOOLS": self._python, "OUT": str(results), "BROKER": self.kafka.bootstrap, "REGISTRY": self.registry}
        command = ["bash", str(self.folder / "bench.sh"), *arguments]
        done = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        found: dict[str, float] = {"agrees": float(AGREES in lines)}
        for line in lines:
            if line.startswith("{"):
                found |= {name: value for name, value in json.loads(line).items() if isinstance(value, int | float)}
        if len(found) == 1:
            raise KolrayError(f"the peer did not get to its end: {(done.stdout + done.stderr)[-1500:]}")
        return found

    def _ours(self, suffix: str, parquet: Path, n_events: int, shards: int) -> tuple[Throughput, bool]:
        work = Work(self.kafka.bootstrap, self.kafka.partitions, suffix, f"out.kolray{suffix}", self.registry, shards)
        appended = {work.output: {"message.timestamp.type": "LogAppendTime"}}
        with temporary_topics(self.kafka, [work.output], appended):
            measured = run_engine(work)
            rows = read_rows(self.kafka, work.output)
            said = self._tool("check.py", "windows", "--topic", work.output, "--parquet", str(parquet), fails=True)
        agrees = AGREES in said.splitlines()
        rate = steady(rows, n_events, measured.meter)
        return figures(work, measured, 2000, rows.height, 0 if agrees else rows.height, rate), agrees

    @property
    def _python(self) -> str:
        return str(self.folder / "venv/tools/bin/python")

    def _tool(self, script: str, *arguments: str, fails: bool = False) -> str:
        command = [self._python, str(self.folder / script), *arguments, "--broker", self.kafka.bootstrap]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and not fails:
            raise KolrayError(f"{script} ended with {done.returncode}: {done.stderr[-1500:]}")
        return done.stdout
