"""A world's events as they arrive: a little out of order, some twice, some late, some broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from kolray.clock import to_ms
from kolray.connectors.generator import activity, audience
from kolray.connectors.generator.cohort import HOUR_MS, Cohort, Hour
from kolray.connectors.generator.config import COHORT
from kolray.connectors.generator.world import World
from kolray.events import RAW_TOPICS, SCHEMAS, Kind, conform

DISORDER_MS = 5_000


@dataclass(frozen=True)
class RawRecord:
    """A record that is not a valid event, as it goes to Kafka."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: list[tuple[str, bytes]] | None = None


@dataclass(frozen=True)
class EventBatch:
    """Events that arrive in one hour, in order of arrival.

    ``social_ms`` and ``web_ms`` are the arrival times, to be used as Kafka timestamps: a replay then decides the same.
    """

    social: pl.DataFrame
    web: pl.DataFrame
    social_ms: pl.Series
    web_ms: pl.Series
    raw: list[RawRecord]

    def __len__(self) -> int:
        return self.social.height + self.web.height + len(self.raw)


def batches(world: World) -> Iterator[EventBatch]:
    """All events of the world, hour by hour; exact for a configuration, and for each cohort on its own."""
    cohorts = [Cohort(world, number) for number in _cohorts(world)]
    held: dict[Kind, pl.DataFrame] = {}
    for number in range(world.config.hours):
        made = [events_of(Hour(cohort, number)) for cohort in cohorts]
        arriving: dict[Kind, pl.DataFrame] = {kind: pl.concat([part[kind] for part in made]) for kind in SCHEMAS}
        yield _arrive(world, number, arriving, held)


def _cohorts(world: World) -> list[int]:
    """Those that the world was built with."""
    return (world.traits["index"] // COHORT).unique().sort().to_list()


def events_of(hour: Hour) -> dict[Kind, pl.DataFrame]:
    """A cohort's events of an hour with their times of arrival (``_arrival``, ms)."""
    ways = (activity.posts, activity.engagement, activity.corrections, activity.profiles, audience.comments)
    social = pl.concat([make(hour) for make in ways], how="diagonal_relaxed")
    return {"social": _faults(hour, "social", social), "web": _faults(hour, "web", audience.web(hour))}


def _arrive(
    world: World, number: int, arriving: dict[Kind, pl.DataFrame], held: dict[Kind, pl.DataFrame]
) -> EventBatch:
    """What arrives this hour: its own events and those of earlier hours that were late; the rest is held."""
    out: dict[Kind, pl.DataFrame] = {}
    until = to_ms(world.config.start) + (number + 1) * HOUR_MS
    for kind, frame in arriving.items():
        waiting = pl.concat([held[kind], frame]) if kind in held else frame
        last = number == world.config.hours - 1
        now = waiting if last else waiting.filter(pl.col("_arrival") < until)
        held[kind] = waiting.filter(pl.col("_arrival") >= until)
        out[kind] = now.sort("_arrival", "event_id", maintain_order=True)
    columns = {kind: out[kind].select(*SCHEMAS[kind]) for kind in out}
    times = {kind: out[kind]["_arrival"] for kind in out}
    return EventBatch(columns["social"], columns["web"], times["social"], times["web"], _garbage(world, number))


def _faults(hour: Hour, kind: Kind, frame: pl.DataFrame) -> pl.DataFrame:
    """Ids, arrival times, duplicates and rule-breaking values; columns of ``SCHEMAS[kind]`` and ``_arrival``."""
    c, rng, n = hour.cohort.config, hour.rng, frame.height
    delay = rng.integers(0, DISORDER_MS, n)
    late = rng.random(n)
    delay = np.where(late < c.late_share, rng.integers(30_000, 200_000, n), delay)
    delay = np.where(late < c.very_late_share, rng.integers(7_200_000, 14_400_000, n), delay)
    prefix = f"{kind[0]}{hour.hour:05d}-{hour.cohort.number:03d}-"
    frame = frame.with_columns(
        _arrival=pl.col("event_time") + pl.Series(delay),
        event_id=pl.format(prefix + "{}", pl.int_range(pl.len())),
    )
    frame = _break(frame, kind, rng, c.invalid_share)
    again = frame.filter(pl.Series(rng.random(n) < c.duplicate_share))
    again = again.with_columns(_arrival=pl.col("_arrival") + pl.Series(rng.integers(1, 20_000, again.height)))
    full = pl.concat([frame, again])
    return full.select(*conform(SCHEMAS[kind], full.columns), "_arrival")


def _break(frame: pl.DataFrame, kind: Kind, rng: np.random.Generator, share: float) -> pl.DataFrame:
    """Breaks one rule in a share of the rows."""
    draw = pl.Series(rng.random(frame.height))
    way = (draw / share * 4).floor()
    broken = [
        pl.when(way == 0).then(pl.lit("shout")).otherwise("event_type").alias("event_type"),
        pl.when(way == 1).then(pl.col("event_time") + 86_400_000).otherwise("event_time").alias("event_time"),
        pl.when(way == 2).then(pl.col("event_time") // 1000).otherwise(pl.col("event_time")).alias("_seconds"),
    ]
    frame = frame.with_columns(broken)
    frame = frame.with_columns(event_time=pl.when(way == 2).then("_seconds").otherwise("event_time")).drop("_seconds")
    if kind == "social":
        return frame.with_columns(platform=pl.when(way == 3).then(pl.lit("")).otherwise("platform"))
    return frame.with_columns(campaign_id=pl.when(way == 3).then(pl.lit("")).otherwise("campaign_id"))


def _garbage(world: World, hour: int) -> list[RawRecord]:
    """Records no schema can read: a few a day."""
    if hour % 6 or not world.config.invalid_share:
        return []
    key = world.traits["kol_id"][hour % world.traits.height].encode()
    at, social, web = to_ms(world.config.start) + hour * HOUR_MS + 1, RAW_TOPICS["social"], RAW_TOPICS["web"]
    return [
        RawRecord(social, key, b"not avro at all", at),
        RawRecord(social, key, b"\x00\x00\x00\x00\x01\x08cut", at),
        RawRecord(web, key, b"\x00\x00\x00\x27\x0funknown schema id", at),
        RawRecord(web, None, b"", at, headers=[("source", b"probe")]),
    ]
