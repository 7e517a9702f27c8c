"""One partition number from offsets to durable results: its state, its outputs, its checkpoint.

A checkpoint's order, and why a crash between any two steps neither loses nor doubles:

1. ``flush``: upserts (window rows, alerts) are durable. A crash here replays them: same keys, same rows.
2. ``save``: the snapshot is written atomically, with the offsets it follows and the outputs not yet published.
3. ``publish``: those outputs go out in one transaction that carries the snapshot's number. After a crash here the
   restart finds the snapshot, saves it as its own, and repeats step 3 unless that number is committed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl

from kolray.clock import Clock, to_ms
from kolray.errors import CheckpointError
from kolray.events import RAW_TOPICS, Kind
from kolray.protocols import TextClassifier
from kolray.stores.metrics import Version
from kolray.stream.checkpoint import CheckpointStore
from kolray.stream.denied import DenyList
from kolray.stream.outputs import Publisher, letters_of
from kolray.stream.patterns import Rule
from kolray.stream.sentiment import NONE, FindModel, Span, mixed, no_model, switched, with_sentiment
from kolray.stream.sinks import RowWriter
from kolray.stream.snapshot import Snapshot, fingerprint, put_back, take
from kolray.stream.state import PartitionState

log = logging.getLogger(__name__)

OWNER_GAP_US = 60_000_000
"""What lies between the first versions of two owners that resume at the same snapshot (or none): more than one writes
before its own snapshot, and more than their clocks differ by and a claim takes."""
CLAIM_S = 10.0
"""Seconds a claim may take; a file or an object is written in it."""


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
    older: FindModel = no_model
    """Sentiment models that were in force before, by version."""
    rules: Callable[[], tuple[Rule, ...]] | None = None
    """The newest patterns, asked for before windows close; none: those of the state."""
    on_closed: Callable[[pl.Series], None] | None = None
    """Told the KOLs whose windows closed, each once; must return at once."""
    denied: DenyList | None = None
    """KOLs that were erased: a snapshot that still holds them is restored without."""
    offsets: dict[Kind, int] = field(default_factory=dict)
    """Kind of event → offset of its topic after the last record counted."""
    epoch: int = 0
    number: int = 0
    sentiment: list[Span] = field(default_factory=list)
    """Which sentiment model is in force from which pane on."""
    _models: dict[str, TextClassifier | None] = field(default_factory=dict)
    _version_us: int = 0
    _outputs: dict[str, list[pl.DataFrame]] = field(default_factory=dict)

    def restore(self) -> dict[Kind, int]:
        """Claims the partition, fences its former owner, resumes. Returns the first offset to read of each topic.

        Raises:
            CheckpointError: the snapshot belongs to other windows or another broker.
            FencedError: another owner claimed it meanwhile.
        """
        now_us = self._claim()
        self.publisher.open()
        snapshot = self.checkpoints.newest(self.partition)
        if snapshot is not None and self.denied is not None:
            snapshot = snapshot.without(self.denied)
        self.offsets = dict.fromkeys(RAW_TOPICS, 0)
        before = (snapshot.epoch, snapshot.version_us) if snapshot else (0, 0)
        # every epoch gets its own gap: of two owners that resume at one snapshot the later must not write older rows
        newest_us = max(now_us, before[1])
        self._version_us = newest_us + (self.epoch - before[0]) * OWNER_GAP_US
        if snapshot is not None:
            self._same_broker(snapshot)
            put_back(self.state, snapshot)
            self.offsets, self.number = dict(snapshot.offsets), snapshot.number
            self._adopt(snapshot)
            ids = {"partition": self.partition, "checkpoint": self.number, "epoch": self.epoch}
            log.info("partition %(partition)d resumes after checkpoint %(checkpoint)d", ids, extra=ids)
        self._choose_sentiment([(start, name) for start, name in snapshot.head["sentiment"]] if snapshot else [])
        return dict(self.offsets)

    def _adopt(self, snapshot: Snapshot) -> None:
        """Saves the snapshot we resume at as our own before anything else; then publishes what it still holds back.

        A former owner's save that was under way may be durable only now. Under its epoch it must not become the newest
        again: a successor would publish once more what follows from this one.
        """
        held = self.publisher.unpublished(snapshot)
        ours = replace(snapshot, epoch=self.epoch, version_us=self._version_us, outputs=held)
        self.checkpoints.save(ours)
        if any(frame.height for frame in held.values()):
            self.publisher.publish(ours)

    def _claim(self) -> int:
        """Takes an epoch; returns the clock's microseconds then.

        A claim that took long is made again: a process that stood still between the two would number its rows by a
        time at which a successor had long begun.
        """
        while True:
            started = self.clock.monotonic()
            self.epoch = self.checkpoints.take_epoch(self.partition)
            now_us = to_ms(self.clock.now()) * 1000
            if self.clock.monotonic() - started <= CLAIM_S:
                return now_us

    def _choose_sentiment(self, recorded: list[Span]) -> None:
        """Puts our model into force where nothing was counted yet; recorded before anything is judged by it."""
        version = self.classifier.version if self.classifier else NONE
        state = self.state
        touched = (state.panes["pane"] + state.pane_ms).to_list()
        free_ms = max(touched, default=max(0, state.closed_ms))
        since_ms = (state.watermark.current_ms - state.timing.lateness_ms) // state.pane_ms * state.pane_ms
        spans = mixed(switched(recorded, version, free_ms), version, since_ms, self._find)
        self.sentiment = spans
        if recorded and spans != recorded:
            log.warning("partition %d: sentiment by %s from now on, in force: %s", self.partition, version, spans)
            self.checkpoint()

    def _find(self, version: str) -> TextClassifier | None:
        """The model of a version; ours stands in for what is gone (``old+ours``)."""
        if self.classifier is not None and self.classifier.version in version.split("+"):
            return self.classifier
        if version not in self._models:
            self._models[version] = None if version == NONE else self.older(version)
        return self._models[version]

    def _same_broker(self, snapshot: Snapshot) -> None:
        if snapshot.broker != self.broker:
            raise CheckpointError(
                f"partition {self.partition}: the checkpoint follows another log ({snapshot.broker}) than this "
                f"broker's ({self.broker}): it was replaced or lost its data. Start anew with `kolray stream --reset`"
            )

    def drop(self, denied: DenyList) -> None:
        """Forgets KOLs that were erased, in the state and in the outputs still held; a checkpoint makes it last."""
        self.state.drop(denied)
        self._outputs = {name: [denied.allowed(frame) for frame in held] for name, held in self._outputs.items()}

    def on_frame(self, kind: Kind, events: pl.DataFrame, rejected: pl.DataFrame, end: int, denied: int = 0) -> None:
        """Counts decoded events and rejects of one topic up to offset ``end`` (exclusive); ``denied`` were dropped."""
        now_ms = to_ms(self.clock.now())
        self.state.counters.denied += denied
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
        if kind != "social" or all(version == NONE for _, version in self.sentiment):
            return events
        return with_sentiment(events, self.sentiment, self._find)

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
        if not rows.height and not alerts.height:
            return  # as in most rounds of the loop
        self.writer.windows(rows, self.version())
        self.writer.alerts(alerts, self.version())
        self._hold("alerts", alerts)
        if self.on_closed is not None and rows.height:
            self.on_closed(rows["kol_id"].unique())

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
        head["sentiment"] = self.sentiment
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
        """One more than the last; a new owner begins beyond the wall clock's microseconds.

        It does not follow the clock while it runs: an owner that hung and wakes up would overwrite its successor.
        """
        self._version_us += 1
        return Version(self.epoch, self._version_us)

    def _hold(self, name: str, frame: pl.DataFrame) -> None:
        if frame.height:
            self._outputs.setdefault(name, []).append(frame)
