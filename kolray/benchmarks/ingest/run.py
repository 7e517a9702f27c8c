"""``kolray bench ingest``: what comes in how fast, on a Kafka and a Redis of its own; every count is reconciled."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolray.benchmarks.fuzz.reading import dead_letters
from kolray.benchmarks.ingest.filing import BAD_EVERY, sending, write_file
from kolray.benchmarks.ingest.pixels import pixels
from kolray.benchmarks.ingest.producing import (
    encoding,
    limit,
    make_events,
    outage,
    producing,
    read_ids,
    size_of,
)
from kolray.benchmarks.serving.world import write_world
from kolray.benchmarks.topics import temporary_topics
from kolray.events import DLQ_TOPIC, RAW_TOPICS
from kolray.local.kafka import kafka
from kolray.local.profiles import own_servers
from kolray.local.servers import redis
from kolray.schemas.wire import encode_rows
from kolray.settings import Settings, load_settings
from kolray.stream.topics import ensure_topics

KOLS = 1_000
PIXEL_S = 10.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """``events`` to produce, ``rows`` of a file, ``rate`` of pixels a second, ``away_s`` without a broker (0: none).

    ``server``: what answers pixels, ``uvicorn`` alone or ``ray``.
    """

    events: int
    rows: int
    rate: float
    away_s: float
    server: str = "uvicorn"
    seed: int = 1


def run(plan: Plan, say: Say) -> dict[str, Any]:
    """The figures; ``lost`` is what was sent and is not in Kafka, ``doubled`` what is there twice."""
    with tempfile.TemporaryDirectory(prefix="kolray-ingest-") as folder, own_servers((kafka, redis), Path(folder)):
        settings = load_settings(home=folder)
        ensure_topics(settings.kafka)
        figures = _produced(settings, plan, say) | _filed(settings, plan, say) | _hit(settings, plan, say)
        if plan.away_s:
            say(f"the broker away for {plan.away_s:g} s")
            events = make_events(plan.events, plan.seed + 1)
            found = outage(Path(folder), settings.kafka, events, plan.away_s)
            figures |= {"outage_s": found.away_s, "outage_sent": found.sent}
            figures["lost"] += found.lost
            figures["doubled"] += found.doubled
    unaccounted = ("lost", "doubled", "file_rows_unaccounted", "pixel_errors", "pixels_lost")
    return figures | {"problems": sum(figures[name] for name in unaccounted)}


def _produced(settings: Settings, plan: Plan, say: Say) -> dict[str, Any]:
    say(f"{plan.events:,} events")
    frames = make_events(plan.events, plan.seed)
    encoding(frames[:2])  # what is compiled or loaded at first use is not measured
    encoded = encoding(frames)
    produced = producing(settings.kafka, frames)
    ids = read_ids(settings.kafka)
    kind, frame = frames[0]
    value = max(encode_rows(RAW_TOPICS[kind], 1, frame.head(100)), key=len)
    with temporary_topics(settings.kafka, ["bench.limit"]):
        most = limit(settings.kafka, "bench.limit", plan.events, value)
    return {
        "events": size_of(frames),
        "avro_encode_per_s": encoded.per_s,
        "produce_events_per_s": produced.per_s,
        "produce_events_per_cpu_s": produced.per_cpu_s,
        "librdkafka_constant_per_cpu_s": most.per_cpu_s,
        "ratio_to_librdkafka": round(produced.per_cpu_s / most.per_cpu_s, 2),
        "lost": size_of(frames) - ids.n_unique(),
        "doubled": ids.len() - ids.n_unique(),
    }


def _filed(settings: Settings, plan: Plan, say: Say) -> dict[str, Any]:
    say(f"a file of {plan.rows:,} rows")
    before = read_ids(settings.kafka).n_unique()
    rate, told = sending(settings, write_file(settings.home, plan.rows, plan.seed))
    held = read_ids(settings.kafka).n_unique() - before
    letters = dead_letters(settings.kafka, DLQ_TOPIC).height
    wrong = abs(plan.rows - held - letters) + abs(letters - plan.rows // BAD_EVERY) + abs(told["sent"] - held)
    return {"file_rows_per_s": rate.per_s, "file_rows_per_cpu_s": rate.per_cpu_s, "file_rows_unaccounted": wrong}


def _hit(settings: Settings, plan: Plan, say: Say) -> dict[str, Any]:
    say(f"{plan.rate:,.0f} pixels a second")
    write_world(settings, KOLS)
    found = pixels(settings, plan.server, plan.rate, PIXEL_S, int(plan.rate * PIXEL_S))
    return {
        "pixel_rate": plan.rate,
        "pixel_rps": round(len(found.most.took_ms) / found.most.seconds),
        "pixel_p50_ms": found.steady.quantile(0.5),
        "pixel_p99_ms": found.steady.quantile(0.99),
        "pixel_cpu_us": found.cpu_us,
        "pixel_errors": found.steady.errors + found.most.errors,
        "pixels_lost": found.missing,
    }
