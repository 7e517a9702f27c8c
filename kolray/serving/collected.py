"""What a replica is asked for when it is scraped, rather than counting it: nothing of this costs a request anything."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from kolray.observability.catalog import filled
from kolray.observability.metric import Family
from kolray.serving.scoring import ScoringGraph


class ReplicaCollector(Collector):
    """Breakers, loaded models and the canary's share, as they are now."""

    def __init__(self, graph: ScoringGraph) -> None:
        self._graph = graph

    def collect(self) -> Iterator[Family]:
        graph = self._graph
        breakers = [((source.name,), float(source.resting)) for source in graph.sources.all]
        yield filled("kolray_lookup_breaker_open", breakers)
        versions = [((name,), float(label.partition(":")[2])) for name, label in graph.champions.loaded().items()]
        yield filled("kolray_model_version", versions)
        yield filled("kolray_canary_percent", [((), graph.canary.answered_percent)])


def replica_text(graph: ScoringGraph, http: CollectorRegistry) -> bytes:
    """Everything this replica measures, as Prometheus text. ``http``: what its requests are counted in."""
    now = CollectorRegistry()
    now.register(ReplicaCollector(graph))
    return b"".join(map(generate_latest, (http, graph.registry, graph.canary.registry, graph.sources.registry, now)))
