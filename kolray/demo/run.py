"""The stages of the demo, each with a line that says what it did and how long it took."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from kolray import local
from kolray.connectors.files import read_files
from kolray.connectors.generator import WorldConfig, build_world
from kolray.connectors.send import send_file_events
from kolray.demo.load import send_requests
from kolray.demo.memory import PeakMemory
from kolray.demo.report import DemoReport, curl_line, show
from kolray.demo.topics import count_records
from kolray.events import ALERTS_TOPIC, DLQ_TOPIC
from kolray.lake.scores import copy_scores
from kolray.lake.tables import LakeTables
from kolray.lake.verify import verify
from kolray.lake.world import send_world
from kolray.models.campaigns import forecast_campaigns
from kolray.models.publish import publish_rankings, publish_scores
from kolray.models.registry import ModelRegistry
from kolray.models.sentiment import default_classifier
from kolray.serving.tokens import Tokens
from kolray.settings import Settings, load_settings
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.topics import ensure_topics


@dataclass
class Demo:
    """One run in one home folder, which it empties first.

    Args:
        poll: polls a platform and sends what changed; returns how many events of each type.
        run_stream, run_lake, train, forecast, serve: the Ray shells, passed in so that this stays plain Python.
        files: event files of the user's own, sent beside the generated world.
    """

    home: Path
    world: WorldConfig
    files: list[Path]
    poll: Callable[[Settings], dict[str, int]]
    run_stream: Callable[[Settings], dict[str, int]]
    run_lake: Callable[[Settings], dict[str, int]]
    train: Callable[[Settings, ModelRegistry], dict[str, dict[str, float]]]
    forecast: Callable[[Settings], dict[str, Any]]
    serve: Callable[[Settings], str]
    console: Console = field(default_factory=Console)
    report: DemoReport = field(default_factory=DemoReport)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """Times a stage; what it is told is printed behind its name."""
        said: list[str] = []
        started = time.monotonic()
        with self.console.status(f"{name} …"):
            yield said.append
        seconds = time.monotonic() - started
        self.report.seconds[name] = seconds
        self.console.print(f"[green]✓[/green] {name:<22} {seconds:5.1f} s   {'; '.join(said)}")

    def start(self) -> Settings:
        """An empty home with the embedded servers, topics and schemas."""
        with self.stage("embedded servers") as say:
            local.down(self.home)
            shutil.rmtree(self.home, ignore_errors=True)
            local.up("embedded", self.home, owner_pid=os.getpid())
            settings = load_settings()
            ensure_topics(settings.kafka)
            open_metrics_store(settings).migrate()
            say(", ".join(f"{s.name} on {s.address}" for s in local.status(self.home)))
        self.report.transactions = settings.kafka.transactions
        return settings

    def run(self, settings: Settings) -> None:
        """Every stage from the generator to 500 answered requests."""
        memory = PeakMemory([service.pid for service in local.status(self.home)])
        report = self.report
        with self.stage("events into Kafka") as say:
            world = build_world(self.world)
            report.produced = send_world(settings, world)
            say(f"{report.produced:,} events of {self.world.n_kols:,} KOLs over {self.world.hours} h")
            if self.files:
                sent = send_file_events(settings, read_files(self.files, "social", {}, {}))
                report.produced += sent["sent"]
                report.file_rejected = sent["dead_letters"]
                say(f"{sent['sent']:,} events and {sent['dead_letters']:,} bad rows from files")
        with self.stage("a platform polled") as say:
            polled = self.poll(settings)
            report.produced += sum(polled.values())
            say(", ".join(f"{n:,} {kind}" for kind, n in polled.items()))
        with self.stage("stream to windows") as say:
            report.stream = self.run_stream(settings)
            say(f"{report.stream['windows']:,} windows, {report.stream['alerts']:,} alerts")
        report.dead_letters_held = count_records(settings.kafka, DLQ_TOPIC)
        report.alerts_held = count_records(settings.kafka, ALERTS_TOPIC)
        with self.stage("bronze, silver, gold") as say:
            report.lake = self.run_lake(settings)
            say(f"{sum(report.lake.values()):,} rows in {len(report.lake)} tables")
        self._verify(settings)
        self._models(settings)
        self._serve(settings)
        report.peak_memory_gb = memory.stop()

    def _verify(self, settings: Settings) -> None:
        with self.stage("verify") as say:
            store, tables = open_metrics_store(settings), LakeTables(settings.lake_root)
            verdict = verify(tables, store, settings.stream.windows, default_classifier())
            self.report.windows_checked = verdict.windows
            self.report.differences = verdict.differences.height
            say(f"{verdict.differences.height} differences in {verdict.windows:,} windows")

    def _models(self, settings: Settings) -> None:
        registry = ModelRegistry.of(settings)
        with self.stage("train and register") as say:
            figures = self.train(settings, registry)
            self.report.trust, self.report.success = figures["trust"], figures["success"]
            say(f"trust AUC {figures['trust']['auc']:.3f}, success sMAPE {figures['success']['smape']:.1f} %")
        with self.stage("score every KOL") as say:
            store, lookup = open_metrics_store(settings), open_feature_store(settings.redis)
            scored = publish_scores(settings.lake_root, registry, store, lookup)
            self.report.lake["gold.scores"] = copy_scores(LakeTables(settings.lake_root), store)
            publish_rankings(settings.lake_root, lookup)
            say(f"{scored:,} KOLs")
        with self.stage("forecast every KOL and campaign") as say:
            made = self.forecast(settings)
            self.report.lake["gold.forecasts"] = made["rows"]
            campaigns = forecast_campaigns(settings)
            self.report.lake["gold.campaign_outlook"] = campaigns["gold.campaign_outlook"]
            say(f"{made['kols']:,} KOLs and {campaigns['campaigns']:,} campaigns from {made['origin']} on")
        self.report.mlflow = settings.mlflow_uri

    def _serve(self, settings: Settings) -> None:
        report = self.report
        with self.stage("serve") as say:
            report.token = Tokens.of(settings).create("demo", ("read", "score"), 60_000)
            report.url = self.serve(settings)
            say(report.url)
        with self.stage("500 requests") as say:
            ids = [f"kol_{i:06d}" for i in range(self.world.n_kols)]
            report.requests = send_requests(report.url, report.token, ids)
            say(f"p50 {report.requests['p50_ms']:.1f} ms, p95 {report.requests['p95_ms']:.1f} ms")

    def finish(self) -> bool:
        """Prints the summary; whether every promise held."""
        show(self.report, self.console)
        self.console.print("\nAsk it yourself (sign in to the dashboard with the same token):", style="bold")
        self.console.print(curl_line(self.report, "kol_000000"), soft_wrap=True, highlight=False)
        return not self.report.failures()
