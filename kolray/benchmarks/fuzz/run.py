"""``kolray bench fuzz``: fuzzed records through the stream; every one of them must end exactly once.

An independent client says which records a reader may see. The stream (fetch, decode, checkpoints, dead letters in
transactions) reads the same topics; then each visible record is an event or a dead letter, never both or neither.
"""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from kolray.benchmarks.fuzz.damage import damage
from kolray.benchmarks.fuzz.judging import Findings, judge
from kolray.benchmarks.fuzz.reading import dead_letters, visible
from kolray.benchmarks.fuzz.sending import FuzzSender
from kolray.benchmarks.fuzz.streaming import FuzzTopics, WatchedDecoder, open_shard, read_all
from kolray.benchmarks.topics import temporary_topics
from kolray.clock import Clock, SystemClock
from kolray.errors import SettingsError
from kolray.settings import Settings

DAMAGED_PER_PARTITION = 2
OPEN_RECORDS = 300
"""Records of the transaction that stays open, and as many behind it."""


@dataclass(frozen=True)
class FuzzReport(Findings):
    """``aborted`` records were sent too and must never be read; ``read_early`` must be 0 (see ``read_all``)."""

    aborted: int
    damaged_batches: int
    read_early: int
    wall_s: float
    stream_s: float
    records_per_second: int

    @property
    def right(self) -> bool:
        """Whether every record ended once, as it had to."""
        return self.accounted and not self.read_early


def run(settings: Settings, n_records: int, seed: int = 1, clock: Clock | None = None) -> FuzzReport:
    """Sends ``n_records`` visible records to topics of its own, reads them by the stream, compares, cleans up.

    Raises:
        SettingsError: the broker's transactions do not hold, so readers see what was aborted.
    """
    kafka, clock = settings.kafka, clock or SystemClock()
    if not kafka.transactions:
        raise SettingsError("the fuzz needs a broker whose transactions hold: `kolray up --profile local`")
    started = clock.monotonic()
    topics = FuzzTopics.named(f".fuzz-{uuid.uuid4().hex[:8]}")
    places = [(topic, number) for topic in topics.raw.values() for number in range(kafka.partitions)]
    last = (topics.raw["social"], 0)
    with temporary_topics(kafka, [*topics.raw.values(), *topics.outputs.values()], topics.configs()):
        sender = FuzzSender(kafka, topics.raw, seed)
        sender.send(n_records - OPEN_RECORDS)
        # Before the damage, which the other client would stumble over; the last place stays whole for later.
        seen = visible(kafka, [place for place in places if place != last])
        folders = {place: _log_folder(settings, *place) for place in places if place != last}
        damaged = damage(folders, seen, DAMAGED_PER_PARTITION, seed)
        decoder, reading = WatchedDecoder(), clock.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            early = read_all(open_shard(kafka, topics, decoder, folder, clock), sender, decoder, OPEN_RECORDS)
        stream_s = clock.monotonic() - reading
        seen = pl.concat([seen, visible(kafka, [last])])
        letters = dead_letters(kafka, topics.outputs["dead_letters"])
    found = judge(sender.sent(), seen, pl.concat(decoder.events), letters, damaged)
    return FuzzReport(
        **asdict(found),
        aborted=sender.ledger.aborted,
        damaged_batches=damaged.height,
        read_early=early,
        wall_s=round(clock.monotonic() - started, 1),
        stream_s=round(stream_s, 1),
        records_per_second=round(found.records / stream_s),
    )


def _log_folder(settings: Settings, topic: str, partition: int) -> Path:
    """Where a broker that ``kolray up`` started keeps a partition; there is no such folder for any other broker."""
    return settings.home / "kafka" / "log" / f"{topic}-{partition}"
