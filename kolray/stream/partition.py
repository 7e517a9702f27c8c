"""One partition number from offsets to durable results: its state, its outputs, its checkpoint.

A checkpoint's order, and why a crash between any two steps neither loses nor doubles:

1. ``flush``: upserts (window rows, alerts) are durable. A crash here replays them: same keys, same rows.
2. ``save``: the snapshot is written atomically, with the offsets it follows and the outputs not yet published.
3. ``publish``: those outputs go out in one transaction that carries the snapshot's number. After a crash here the
   restart finds the snapshot and repeats step 3 unless that number is committed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from kolray.clock import Clock, to_ms
from kolray.errors import CheckpointError
from kolray.events import RAW_TOPICS, Kind
from kolray.protocols import TextClassifier
from kolray.stores.metrics import Version
from kolray.stream.checkpoint import CheckpointStore
from kolray.stream.outputs import Publisher, letters_of
from kolray.stream.patterns import Rule
from kolray.stream.sinks import RowWriter
from kolray.stream.snapshot import Snapshot, fingerprint, put_back, take
from kolray.stream.state import PartitionState

log = logging.getLogger(__name__)

OWNER_GAP_US = 60_000_000
"""A new owner's first version is at least so far beyond its predecessor's snapshot, whatever the clocks say: more
than a predecessor writes between two checkpoints."""


@dataclass
class PartitionRunner:
    """Owns one partition number. ``restore`` comes first."""

    partition: int
    state: PartitionState
    checkpoints: CheckpointStore
    publisher: Publisher
    writer: RowWriter
    clock: Clock
    broker: dict[str, str]
    classifier: TextClassifier | None = None
    rules: Callable[[], tuple[Rule, ...]] | None = None
    """The newest patterns, asked for before windows close; none: those of the state."""
    offsets: dict[Kind, int] = field(default_factory=dict)
    """Kind of event → offset of its topic after the last record counted."""
    epoch: int = 0
    number: int = 0
    _version_us: int = 0
    _outputs: dict[str, list[pl.DataFrame]] = field(default_factory=dict)

    def restore(self) -> dict[Kind, int]:
        """Claims the partition, fences its former owner, resumes. Returns the first offset to read of each topic.

        Raises:
            CheckpointError: the snapshot belongs to other windows or another broker.
        """
        self.epoch = self.checkpoints.take_epoch(self.partition)
        self.publisher.open()
        snapshot = self.checkpoints.newest(self.partition)
        self.offsets = dict.fromkeys(RAW_TOPICS, 0)
        self._version_us = to_ms(self.clock.now()) * 1000
        if snapshot is not None:
            self._same_broker(snapshot)
            put_back(self.state, snapshot)
            self.offsets, self.number = dict(snapshot.offsets), snapshot.number
            self._version_us = max(self._version_us, snapshot.version_us + OWNER_GAP_US)
            self.publisher.publish(snapshot, again=True)
            log.info("partition %d resumes after checkpoint %d as epoch %d", self.partition, self.number, self.epoch)
        return dict(self.offsets)

    def _same_broker(self, snapshot: Snapshot) -> None:
        if snapshot.broker != self.broker:
            raise CheckpointError(
                f"partition {self.partition}: the checkpoint follows another log ({snapshot.broker}) than this "
                f"broker's ({self.broker}): it was replaced or lost its data. Start anew with `kolray stream --reset`"
            )

    def on_frame(self, kind: Kind, events: pl.DataFrame, rejected: pl.DataFrame, end: int) -> None:
        """Counts decoded events and rejects of one topic up to offset ``end`` (exclusive)."""
        now_ms = to_ms(self.clock.now())
        if events.height:
            corrected, late = self.state.on_events(kind, self._with_sentiment(kind, events), now_ms)
            self.writer.windows(corrected, self.version())
            self._hold("late", late)
        if rejected.height:
            self.state.counters.rejected += rejected.height
            self._hold("dead_letters", letters_of(rejected))
        self.offsets[kind] = end

    def _with_sentiment(self, kind: Kind, events: pl.DataFrame) -> pl.DataFrame:
        """Adds ``sentiment`` to comments, scored in one micro-batch."""
        if kind != "social" or self.classifier is None:
            return events
        spoken = (events["event_type"] == "comment") & events["text"].is_not_null()
        if not spoken.any():
            return events
        scores = self.classifier.classify(events["text"].filter(spoken))
        places = spoken.arg_true()
        column = pl.Series("sentiment", [None], dtype=pl.Int8).new_from_index(0, events.height)
        return events.with_columns(column.scatter(places, scores))

    def advance(self, at_end: dict[Kind, bool]) -> None:
        """Closes windows the watermark has passed. ``at_end``: our position is the topic's log end."""
        rules = self.rules() if self.rules else self.state.patterns.rules
        if rules is not self.state.patterns.rules:
            self.state.patterns.replace(rules)
        self._closed(*self.state.advance(to_ms(self.clock.now()), at_end))

    def end_of_input(self) -> None:
        """Closes every window of a bounded run."""
        self._closed(*self.state.end_of_input())

    def _closed(self, rows: pl.DataFrame, alerts: pl.DataFrame) -> None:
        self.writer.windows(rows, self.version())
        self.writer.alerts(alerts, self.version())
        self._hold("alerts", alerts)

    def write_provisional(self) -> None:
        """Upserts what changed in open panes."""
        self.writer.windows(self.state.provisional(), self.version())

    def checkpoint(self) -> None:
        """The three steps of the module's docstring.

        Raises:
            FencedError: a newer owner exists; nothing was published.
        """
        self.writer.flush()
        head, frames = take(self.state)
        outputs = {name: pl.concat(parts) for name, parts in self._outputs.items()}
        self.number += 1
        snapshot = Snapshot(
            partition=self.partition,
            epoch=self.epoch,
            number=self.number,
            fingerprint=fingerprint(self.state),
            broker=self.broker,
            offsets=dict(self.offsets),
            version_us=self._version_us,
            head=head,
            frames=frames,
            outputs=outputs,
        )
        self.checkpoints.save(snapshot)
        self.publisher.publish(snapshot)
        self._outputs = {}

    def has_alerts(self) -> bool:
        """Alerts wait to be published: worth an early checkpoint."""
        return bool(self._outputs.get("alerts"))

    def version(self) -> Version:
        """One more than the last; a new owner begins at the wall clock's microseconds.

        It does not follow the clock while it runs: an owner that hung and wakes up would overwrite its successor.
        """
        self._version_us += 1
        return Version(self.epoch, self._version_us)

    def _hold(self, name: str, frame: pl.DataFrame) -> None:
        if frame.height:
            self._outputs.setdefault(name, []).append(frame)
