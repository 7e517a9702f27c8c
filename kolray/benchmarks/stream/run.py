"""All parts of ``kolray bench stream``, one after the other, as one flat set of figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kolray.benchmarks.costs import comment_us, score_us
from kolray.benchmarks.live.finals import finals
from kolray.benchmarks.live.latency import latency
from kolray.benchmarks.live.recovery import recovery
from kolray.benchmarks.live.slides import slides
from kolray.benchmarks.stream.peers import Peers
from kolray.benchmarks.stream.stores import stores
from kolray.benchmarks.stream.throughput import throughput
from kolray.settings import Settings

MANY_KOLS = 100_000
STORES_EVENTS = 4_000_000
Figures = dict[str, Any]
Say = Callable[[str], None]


def run(settings: Settings, events: int, shards: int, beside: tuple[Path, str] | None, live: bool, say: Say) -> Figures:
    """The figures by name; ``rows_wrong`` counts over all parts.

    Args:
        events: of the throughput parts.
        beside: the prepared folder of the published comparison and a schema registry: then ours and Flink run over the
            events that its tools make.
        live: also what needs the local profile's servers for itself: stores, latency, recovery.
        say: told what runs now.
    """
    peers = Peers(beside[0], settings.kafka, beside[1]) if beside else None
    figures = _throughput(settings, events, shards, peers, say)
    if live:
        figures |= _live(settings, shards, peers, say)
    say("what a comment, a score and more windows cost")
    figures |= {"comment_us": round(comment_us(), 1), "score_us": round(score_us(), 1)}
    figures["sliding_15_by_1_to_15_by_5"] = slides().ratio
    return figures


def _throughput(settings: Settings, events: int, shards: int, peers: Peers | None, say: Say) -> Figures:
    figures: Figures
    if peers is not None:
        say(f"{events:,} events, Flink and then ours")
        found = peers.throughput(events, shards)
        figures = asdict(found.ours) | {name: value for name, value in asdict(found).items() if name != "ours"}
        figures["ratio_to_flink"] = round(found.ours.events_per_cpu_second / found.flink_events_per_cpu_second, 2)
    else:
        say(f"{events:,} events of 2,000 KOLs to a topic")
        figures = asdict(throughput(settings.kafka, events, shards))
    say(f"{events:,} events of {MANY_KOLS:,} KOLs to a topic")
    many = throughput(settings.kafka, events, shards, n_kols=MANY_KOLS)
    figures["events_per_cpu_second_100k_kols"] = many.events_per_cpu_second
    figures["rows_wrong"] += many.rows_wrong
    return figures


def _live(settings: Settings, shards: int, peers: Peers | None, say: Say) -> Figures:
    say("windows closing under an even load")
    closed = finals(settings.kafka, shards=shards)
    figures: Figures = {"final_p50_s": closed.final_p50_s, "final_p99_s": closed.final_p99_s}
    if peers is not None:
        figures["flink_final_p99_s"] = peers.final_p99_s()
    say(f"{STORES_EVENTS:,} events to Cassandra and Redis")  # what Cassandra tidies up afterwards weighs on the next
    figures |= asdict(stores(settings, STORES_EVENTS, shards))
    say("20,000 events a second until they can be read")
    seen = latency(settings)
    figures |= {
        "latency_p50_s": seen.p50_s,
        "latency_p99_s": seen.p99_s,
        "latency_unseen": seen.events_sent - seen.events_seen,
    }
    say(f"a shard killed with {MANY_KOLS:,} KOLs")
    back = recovery(settings, MANY_KOLS)
    return figures | {"recovery_s": back.recovery_s, "state_mb_100k_kols": back.state_mb}
