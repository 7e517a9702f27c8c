"""All parts of ``kolray bench stream``, one after the other, as one flat set of figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kolray.benchmarks.stream.peers import Peers
from kolray.benchmarks.stream.stores import stores
from kolray.benchmarks.stream.throughput import throughput
from kolray.settings import Settings

MANY_KOLS = 100_000
STORES_EVENTS = 1_000_000
Say = Callable[[str], None]


def run(settings: Settings, events: int, shards: int, peers: tuple[Path, str] | None, say: Say) -> dict[str, Any]:
    """The figures by name; ``rows_wrong`` counts over all parts.

    Args:
        events: of the throughput parts.
        peers: the prepared folder of the published comparison and a schema registry: then ours and Flink run over the
            events that its tools make.
        say: told what runs now.
    """
    figures: dict[str, Any] = {}
    if peers is not None:
        say(f"{events:,} events, Flink and then ours")
        beside = Peers(peers[0], settings.kafka, peers[1]).throughput(events, shards)
        figures |= {name: value for name, value in asdict(beside).items() if name != "ours"} | asdict(beside.ours)
        figures["ratio_to_flink"] = round(beside.ours.events_per_cpu_second / beside.flink_events_per_cpu_second, 2)
    else:
        say(f"{events:,} events of 2,000 KOLs to a topic")
        figures |= asdict(throughput(settings.kafka, events, shards))
    say(f"{events:,} events of {MANY_KOLS:,} KOLs to a topic")
    many = throughput(settings.kafka, events, shards, n_kols=MANY_KOLS)
    figures["events_per_cpu_second_100k_kols"] = many.events_per_cpu_second
    figures["rows_wrong"] += many.rows_wrong
    if settings.metrics_url.startswith("cassandra://"):
        say(f"{STORES_EVENTS:,} events to Cassandra and Redis")
        figures |= asdict(stores(settings, STORES_EVENTS, shards))
    return figures
