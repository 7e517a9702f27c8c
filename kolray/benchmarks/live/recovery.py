"""What a shard's sudden death costs at many KOLs: seconds until its partitions are as far as they were, and memory."""

from __future__ import annotations

import multiprocessing
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from kafka import KafkaConsumer, TopicPartition

from kolray.benchmarks.events import PER_SECOND, T0_MS, chunks
from kolray.benchmarks.live.running import LiveStream, check_home, live_stream
from kolray.benchmarks.live.sending import Load, send_apart
from kolray.clock import to_ms
from kolray.connectors.producer import EventProducer
from kolray.events import RAW_TOPICS, TIME, Kind
from kolray.schemas.registry import open_registry
from kolray.settings import KafkaSettings, Settings

HOUR_MS = 3_600_000
"""The longest of the default windows."""
CHANGES = {
    "KOLRAY_STREAM__SHARDS": "2",
    "KOLRAY_STREAM__CHECKPOINT_INTERVAL_S": "5",
    # No window of the hour closes: neither state nor recovery is about the rows, of which there are millions.
    "KOLRAY_STREAM__DISORDER_S": "3600",
}
BEFORE_KILL_S = 12.0
"""Seconds of load before the kill: at least one checkpoint under load is in them."""
FILL_S = 900.0
"""Seconds in which the store has to take the hour's rows."""
LOAD_S = 200.0
"""Seconds of load at most; it ends with the recovery."""


@dataclass(frozen=True)
class Recovery:
    """Figures of one kill; megabytes are 2^20 bytes.

    ``recovery_s`` runs from the kill to the first published status in which every partition of the killed shard has
    passed the log's end at the kill; the status is published once a second, which is in it. ``state_mb`` is the state
    of all partitions, with the hour in it, ``snapshot_mb`` the size of their newest checkpoints.
    """

    kols: int
    events: int
    recovery_s: float
    state_mb: float
    snapshot_mb: float
    checkpoint_s: float
    shards_pss_mb: float
    ray_pss_mb: float


def recovery(settings: Settings, n_kols: int = 100_000, events_per_kol: int = 5, rate: int = 2000) -> Recovery:
    """Runs ``kolray stream`` over an hour's events, then under an even load, and kills a shard with signal 9.

    Args:
        events_per_kol: events of every KOL in the hour, evenly spread: as many panes.
        rate: events a second while the shard is killed.

    Raises:
        SettingsError: the home is not the local profile, or a stream runs there.
        KolrayError: the stream did not recover, or a process died that was not to die.
    """
    check_home(settings)
    load = Load(rate, LOAD_S, n_kols, f"hour-{uuid.uuid4().hex[:8]}-")
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    with live_stream(settings, CHANGES) as stream:
        read = stream.counters()["events"]
        for kind, frame in an_hour(load, events_per_kol, to_ms(stream.clock.now())):
            producer.send(kind, frame)
        sent = producer.flush().count
        stream.wait(lambda: stream.counters()["events"] >= read + sent, "the hour to be read")
        numbers = {n: part["checkpoint"] for n, part in stream.partitions().items()}
        stream.wait(lambda: _beyond(stream, numbers), "a checkpoint that holds the hour", FILL_S)
        seconds, state, held, took = _kill_under_load(settings, stream, load)
    folders = Path(settings.checkpoints).glob("p*")
    return Recovery(
        kols=n_kols,
        events=sent,
        recovery_s=round(seconds, 2),
        state_mb=_mb(state),
        snapshot_mb=_mb(sum(max(folder.glob("*.ckpt")).stat().st_size for folder in folders)),
        checkpoint_s=took,
        shards_pss_mb=round(held[0], 1),
        ray_pss_mb=round(held[1], 1),
    )


def _beyond(stream: LiveStream, numbers: dict[int, int]) -> bool:
    """Every partition has made two checkpoints since; the first may have begun before."""
    return all(part["checkpoint"] >= numbers[n] + 2 for n, part in stream.partitions().items())


def _state_bytes(stream: LiveStream) -> int:
    return sum(part["state_bytes"] for part in stream.partitions().values())


def _mb(n_bytes: int) -> float:
    return round(n_bytes / (1 << 20), 1)


def an_hour(load: Load, events_per_kol: int, end_ms: int) -> Iterator[tuple[Kind, pl.DataFrame]]:
    """Events of the hour before ``end_ms`` in which every KOL has as many, in turn."""
    n_events = load.n_kols * events_per_kol
    span_ms, done = n_events * 4 // 5 * 1000 // PER_SECOND, 0
    at = pl.col("event_time").dt.epoch("ms").clip(T0_MS) - T0_MS
    for kind, frame in chunks(n_events, load.n_kols, load.seed):
        turn = pl.int_range(done, done + frame.height, eager=True) % load.n_kols
        done += frame.height
        yield (
            kind,
            frame.with_columns(
                event_id=pl.lit(f"{load.run}h-") + pl.col("event_id"),
                kol_id=pl.Series([load.kol_id(number) for number in turn]),
                event_time=(pl.lit(end_ms - HOUR_MS) + at * HOUR_MS // span_ms).cast(TIME),
            ),
        )


def _kill_under_load(
    settings: Settings, stream: LiveStream, load: Load
) -> tuple[float, int, tuple[float, float], float]:
    """(seconds until recovered, bytes of the state, memory in MB, seconds the last checkpoint took)."""
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    arguments = (theirs, settings.kafka, settings.registry.url, load)
    sender = spawn.Process(target=send_apart, args=arguments, daemon=True)
    sender.start()
    try:
        stream.clock.sleep(BEFORE_KILL_S)
        held, state = stream.pss_mb(), _state_bytes(stream)
        took = max(shard["checkpoint_took_s"] for shard in stream.status()["shards"])
        return _until_recovered(settings.kafka, stream), state, held, took
    finally:
        sender.kill()
        sender.join()
        mine.close()


def _until_recovered(kafka: KafkaSettings, stream: LiveStream) -> float:
    """Kills the first shard; seconds until a successor has passed where its logs ended then."""
    victim = stream.status()["shards"][0]
    started = stream.clock.monotonic()
    stream.kill(victim["pid"])
    ends = log_ends(kafka, [int(number) for number in victim["partitions"]])

    def passed() -> bool:
        [successor] = [shard for shard in stream.status()["shards"] if shard["shard"] == victim["shard"]]
        if successor["pid"] == victim["pid"] or successor["restarts"] == victim["restarts"]:
            return False
        offsets = {(k, int(n)): at for n, part in successor["partitions"].items() for k, at in part["offsets"].items()}
        return all(offsets[place] >= end for place, end in ends.items())

    stream.wait(passed, "a killed shard's partitions to be as far as they were")
    return stream.clock.monotonic() - started


def log_ends(kafka: KafkaSettings, partitions: list[int]) -> dict[tuple[Kind, int], int]:
    """The next offset of each topic's partitions now."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap.split(","))
    try:
        places = {
            (kind, number): TopicPartition(topic, number) for kind, topic in RAW_TOPICS.items() for number in partitions
        }
        ends = consumer.end_offsets(list(places.values()))
    finally:
        consumer.close()
    return {place: int(ends[tp]) for place, tp in places.items()}
