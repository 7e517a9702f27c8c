"""A stream's published status as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from kolray.observability.catalog import CATALOG, filled
from kolray.observability.metric import Family
from kolray.observability.tally import add_tally

Published = dict[str, Any]
STATES = ("running", "ended", "gone")
OF_PARTITION = {
    "kolray_stream_lag_records": "lag",
    "kolray_stream_watermark_delay_seconds": "watermark_delay_s",
    "kolray_stream_state_bytes": "state_bytes",
    "kolray_stream_events_total": "events",
    "kolray_stream_duplicates_total": "duplicates",
    "kolray_stream_late_total": "late",
    "kolray_stream_dead_letters_total": "rejected",
    "kolray_stream_denied_total": "denied",
    "kolray_stream_windows_total": "windows",
    "kolray_stream_alerts_total": "alerts",
}
OF_SHARD = {
    "kolray_stream_restarts_total": "restarts",
    "kolray_stream_status_age_seconds": "status_age_s",
    "kolray_stream_checkpoint_age_seconds": "checkpoint_age_s",
    "kolray_stream_checkpoint_duration_seconds": "checkpoint_took_s",
}
OF_SCORING = {
    "kolray_stream_scores_total": "scored",
    "kolray_stream_scores_failed_total": "failed",
    "kolray_stream_scores_waiting_kols": "waiting",
    "kolray_stream_scores_oldest_seconds": "oldest_s",
}
TALLIES = {"kolray_stream_checkpoint_seconds": "checkpoints", "kolray_stream_sink_write_seconds": "writes"}


class StreamCollector(Collector):
    """Asked for metrics, it reads the newest status.

    A shard that starts again counts from its checkpoint, a little below what was seen. Prometheus would take that for a
    counter that began at 0 and add all of it once more; so a counter here stands still until it is passed again. Only
    where the checkpoints begin anew, as after ``--reset``, do the counters.
    """

    def __init__(self, read: Callable[[], Published | None]) -> None:
        self._read = read
        self._seen: dict[tuple[str, str], tuple[int, float]] = {}

    def collect(self) -> Iterator[Family]:
        published = self._read()
        state = published["state"] if published else None
        yield filled("kolray_stream_up", [((), int(state == "running"))])
        yield filled("kolray_stream_state", [((name,), int(state == name)) for name in STATES])
        shards = published["shards"] if published else []
        running = state == "running"
        up = [((str(shard["shard"]),), int(running and shard["state"] == "running")) for shard in shards]
        yield filled("kolray_stream_shard_up", up)
        nodes = [((str(shard["shard"]), shard["node"]), 1.0) for shard in shards if shard.get("node")]
        yield filled("kolray_stream_shard_info", nodes)
        for name, key in OF_SHARD.items():
            yield filled(name, [((str(shard["shard"]),), shard.get(key)) for shard in shards])
        parts = [(number, part) for shard in shards for number, part in shard["partitions"].items()]
        for name, key in OF_PARTITION.items():
            counts = CATALOG[name].kind == "counter"
            yield filled(
                name, [((n,), self._steady(name, n, part, key) if counts else part.get(key)) for n, part in parts]
            )
        yield from _meters(shards)
        yield from _scoring(shards)

    def _steady(self, name: str, number: str, part: dict[str, Any], key: str) -> float | None:
        value, checkpoint = part.get(key), part.get("checkpoint", 0)
        if value is None:
            return None
        before = self._seen.get((name, number), (0, 0.0))
        steady = value if checkpoint < before[0] else max(value, before[1])
        self._seen[name, number] = checkpoint, steady
        return float(steady)


def _meters(shards: list[dict[str, Any]]) -> Iterator[Family]:
    measured = [(str(shard["shard"]), shard["meters"]) for shard in shards if shard.get("meters")]
    yield filled("kolray_stream_sink_retries_total", [((shard,), told["retries"]) for shard, told in measured])
    for name, key in TALLIES.items():
        yield _histogram(name, [(shard, told[key]) for shard, told in measured])


def _scoring(shards: list[dict[str, Any]]) -> Iterator[Family]:
    """Of the threads that score KOLs beside the shards; a shard that starts again counts from 0."""
    measured = [(str(shard["shard"]), shard["scoring"]) for shard in shards if shard.get("scoring")]
    for name, key in OF_SCORING.items():
        yield filled(name, [((shard,), told[key]) for shard, told in measured])
    yield _histogram("kolray_stream_scores_seconds", [(shard, told["seconds"]) for shard, told in measured])
    yield _histogram(
        "kolray_stream_score_points", [(shard, told["points"]) for shard, told in measured if "points" in told]
    )


def _histogram(name: str, tallies: list[tuple[str, dict[str, Any]]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, CATALOG[name].about, labels=CATALOG[name].labels)
    for shard, told in tallies:
        add_tally(family, (shard,), CATALOG[name].buckets, told)
    return family


def prometheus(published: Published | None) -> str:
    """What one look at a status is, as text."""
    registry = CollectorRegistry()
    registry.register(StreamCollector(lambda: published))
    return generate_latest(registry).decode()
