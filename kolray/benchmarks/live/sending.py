"""Events of the present, sent evenly by a process of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from kolray.benchmarks.events import social_events, web_events
from kolray.connectors.producer import EventProducer
from kolray.events import RAW_TOPICS, TIME, Kind
from kolray.schemas.registry import open_registry
from kolray.settings import KafkaSettings

SLICE_S = 0.05
"""Events leave in slices this long, each with one event time: the moment it is handed to the producer."""


@dataclass(frozen=True)
class Load:
    """What is sent.

    Args:
        rate: events a second.
        run: begins every id, so that runs on the same servers do not mix.
        web: one web event to four social ones; else social ones alone.
        watched: KOLs of which every event is noted.
    """

    rate: int
    seconds: float
    n_kols: int = 2000
    run: str = ""
    web: bool = True
    watched: tuple[str, ...] = ()
    seed: int = 7

    def kol_id(self, number: int) -> str:
        """Of the ``number``-th KOL; 0 has the most events."""
        return f"{self.run}kol_{number:06d}"

    def slice(self, number: int) -> list[tuple[Kind, pl.DataFrame]]:
        """Events of slice ``number``, without their time."""
        n = round(self.rate * SLICE_S)
        n_web = n // 5 if self.web else 0
        frames: list[tuple[Kind, pl.DataFrame]] = [
            ("social", social_events(number * (n - n_web), n - n_web, self.n_kols, self.seed))
        ]
        if n_web:
            frames.append(("web", web_events(number * n_web, n_web, self.n_kols, self.seed)))
        own = [(pl.lit(self.run) + pl.col(name)).alias(name) for name in ("event_id", "kol_id")]
        return [(kind, frame.with_columns(own)) for kind, frame in frames]


@dataclass(frozen=True)
class Sent:
    """What was sent: ``times`` has ``kol_id, at_ms, n`` of the watched KOLs, oldest first.

    ``behind_s`` is how far the slowest slice was behind its time: more than a slice, and the load was not even.
    """

    events: int
    wall_s: float
    behind_s: float
    times: pl.DataFrame


def send(kafka: KafkaSettings, registry_url: str | None, load: Load, topics: Mapping[Kind, str] = RAW_TOPICS) -> Sent:
    """Sends slice after slice at its time; returns when the broker has acknowledged all of them."""
    producer = EventProducer(kafka, open_registry(registry_url), topics)
    noted, events, behind_s = [], 0, 0.0
    producer.flush()
    started = time.monotonic()
    for number in range(round(load.seconds / SLICE_S)):
        frames = load.slice(number)
        ahead_s = started + number * SLICE_S - time.monotonic()
        behind_s = max(behind_s, -ahead_s)
        time.sleep(max(0.0, ahead_s))
        at_ms = int(time.time() * 1000)
        for kind, frame in frames:
            producer.send(kind, frame.with_columns(event_time=pl.lit(at_ms).cast(TIME)))
            events += frame.height
            mine = frame.filter(pl.col("kol_id").is_in(load.watched))
            noted.append(mine.group_by("kol_id").agg(n=pl.len()).with_columns(at_ms=pl.lit(at_ms, pl.Int64)))
    producer.flush()
    wall_s = time.monotonic() - started
    return Sent(events, wall_s, behind_s, pl.concat(noted).select("kol_id", "at_ms", "n"))


def send_apart(
    control: Any, kafka: KafkaSettings, registry_url: str | None, load: Load, topics: Mapping[Kind, str] = RAW_TOPICS
) -> None:
    """``send`` as a process: its result goes through ``control``."""
    control.send(send(kafka, registry_url, load, topics))
