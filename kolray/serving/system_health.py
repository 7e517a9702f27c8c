"""Every part asked at once whether it answers; what does not answer costs the page no more than its budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import polars as pl
from circuitbreaker import CircuitBreakerMonitor

from kolray.clock import from_ms
from kolray.lake.journal import NAME as STEPS
from kolray.lake.tables import LakeTables
from kolray.local.trino import ask
from kolray.models.registry import CHALLENGER, CHAMPION, ModelRegistry
from kolray.serving.dashboard.report_data import (
    HealthPage,
    ModelHealth,
    PartHealth,
    PartitionHealth,
    StreamPage,
    TableHealth,
    Verdict,
)
from kolray.serving.kept import Kept
from kolray.serving.progress import StreamNow
from kolray.serving.scoring import ScoringGraph
from kolray.settings import Settings
from kolray.stores.kafka_access import for_librdkafka

log = logging.getLogger(__name__)
BUDGET_S = 2.5
LAKE_KEEP_S, MODELS_KEEP_S = 30, 10
SLOW_MS = {"redis": 50.0, "metrics_store": 250.0}
"""Beyond, a part that answers is slow; others beyond ``SLOW_ELSE_MS``."""
SLOW_ELSE_MS = 1000.0
MODELS = ("trust", "success", "sentiment")
WATCHED = (
    "bronze.social", "bronze.web", "silver.social", "gold.kpi_hourly", "gold.features", "gold.scores",
    "gold.forecasts", "gold.campaign_outlook",
)  # fmt: skip
"""Tables whose age tells which step of the lake stands still."""


class SystemHealth:
    """The parts that the settings name, seen from this replica."""

    def __init__(self, settings: Settings, graph: ScoringGraph) -> None:
        self._settings, self._graph = settings, graph
        self._registry = ModelRegistry.of(settings)
        self._asking = ThreadPoolExecutor(8, thread_name_prefix="health")
        self._admin = Kept(self._kafka_client, keep_s=3600)
        self._models = Kept(self._read_models, MODELS_KEEP_S)
        self._lake = Kept(lambda: lake_health(graph.lake), LAKE_KEEP_S)

    def page(self, stream: StreamPage | None, now: StreamNow | None) -> HealthPage:
        """Never raises."""
        probes = self._probes()
        asked = {name: self._asking.submit(_timed, probe) for name, (_, probe) in probes.items()}
        models, lake = self._asking.submit(self._models.get), self._asking.submit(self._lake.get)
        every: list[Future[Any]] = [*asked.values(), models, lake]
        wait(every, BUDGET_S)
        tables, features_at, failed = _got(lake) or ([], None, [])
        return HealthPage(
            parts=[_part(name, probes[name][0], future) for name, future in asked.items()],
            stream=stream,
            partitions=partitions(now.report) if now else [],
            models=_got(models) or [],
            features_at=features_at,
            tables=tables,
            failed_steps=failed,
        )

    def _probes(self) -> dict[str, tuple[str, Callable[[], object]]]:
        """Name → address as shown, and a question that fails where the part is away."""
        settings, graph = self._settings, self._graph
        probes: dict[str, tuple[str, Callable[[], object]]] = {
            "kafka": (settings.kafka.bootstrap, lambda: self._admin.get().list_topics(timeout=BUDGET_S)),
            "redis": (_plain(settings.redis.url), graph.lookup.ping),
            "metrics_store": (_plain(settings.metrics_url), graph.store.ping),
            "lake": (_plain(str(graph.lake.root)), lambda: graph.lake.versions("gold.features")),
            "mlflow": (_plain(settings.mlflow_uri), lambda: self._registry.alias_version("trust")),
        }
        registry = settings.registry.url
        if registry is not None:
            url = f"{registry.rstrip('/')}/subjects"
            probes["schema_registry"] = (_plain(registry), lambda: httpx.get(url, timeout=BUDGET_S).raise_for_status())
        trino = settings.serving.trino
        if trino is not None:
            probes["trino"] = (trino, lambda: ask(trino, "SELECT 1"))
        return probes

    def _kafka_client(self) -> Any:
        from confluent_kafka.admin import AdminClient

        return AdminClient(for_librdkafka(self._settings.kafka) | {"log_level": 0})

    def _read_models(self) -> list[ModelHealth]:
        used = self._graph.champions.loaded()
        read = self._registry
        found = [
            ModelHealth(
                name,
                read.alias_version(name, CHAMPION),
                read.alias_version(name, CHALLENGER),
                used.get(name),
                read.trained_at(name, CHAMPION),
            )
            for name in MODELS
        ]
        return [model for model in found if model.champion is not None or model.challenger is not None]


def lake_health(lake: LakeTables) -> tuple[list[TableHealth], datetime | None, list[tuple[str, datetime, str]]]:
    """When each table was written, the time of the newest features, and what failed in the newest nightly run."""
    tables = []
    for name in WATCHED:
        table = lake.find(name)
        written = from_ms(table.history(1)[0]["timestamp"]) if table is not None else None
        tables.append(TableHealth(name, written))
    features_at: datetime | None = lake.scan("gold.features").select(pl.col("as_of").max()).collect().item()
    steps = lake.scan(STEPS).collect()
    newest = steps.filter(pl.col("run") == pl.col("run").sort_by("started_at").last()) if steps.height else steps
    last = newest.sort("started_at").unique("step", keep="last", maintain_order=True)
    failed = last.filter(~pl.col("ok")).select("step", "started_at", "detail").iter_rows()
    return tables, features_at, list(failed)


def partitions(report: Mapping[str, Any]) -> list[PartitionHealth]:
    """Of a report of ``stream.status``, by number."""
    rows = [
        PartitionHealth(
            number=int(number),
            shard=shard["shard"],
            state=shard["state"],
            lag=part["lag"],
            behind_s=part["watermark_delay_s"],
            checkpoint_age_s=shard["checkpoint_age_s"],
            dead_letters=part["rejected"],
            restarts=shard["restarts"],
        )
        for shard in report["shards"]
        for number, part in shard["partitions"].items()
    ]
    return sorted(rows)


def _timed(probe: Callable[[], object]) -> float:
    started = time.perf_counter()
    probe()
    return 1000 * (time.perf_counter() - started)


def _part(name: str, address: str, future: Future[float]) -> PartHealth:
    took: float | None = _got(future)
    limit_ms = SLOW_MS.get(name, SLOW_ELSE_MS)
    state: Verdict = "away" if took is None else "slow" if took > limit_ms else "ok"
    circuit = CircuitBreakerMonitor.get(name)
    return PartHealth(name, state, took, address, circuit.state if circuit is not None else None)


def _got(future: Future[Any]) -> Any:
    """What came in time; None for what failed or is late."""
    if not future.done():
        return None
    error = future.exception()
    if error is not None:  # whatever a client raises: the page says that the part is away, the log says why
        log.warning("health: %s", error)
        return None
    return future.result()


def _plain(url: str) -> str:
    """Without user, password and query."""
    plain = url.partition("?")[0]
    host = urlsplit(plain).netloc
    return plain.replace(host, host.rsplit("@", 1)[-1], 1) if "@" in host else plain
