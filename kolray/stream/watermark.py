"""When time may be believed: one watermark a partition number, the minimum over its two topics."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from kolray.events import Kind

NOT_WAITED_FOR = 1 << 62
"""The watermark of a topic without any event: it holds nobody back."""


@dataclass
class TopicProgress:
    """What one topic-partition has shown so far; times in ms."""

    max_event_ms: int | None = None
    last_kafka_ms: int | None = None
    last_seen_ms: int | None = None
    """Wall time at which its newest event was read."""

    def watermark(self, now_ms: int, at_end: bool, disorder_ms: int, idle_after_ms: int) -> int | None:
        """This topic's watermark; None: nothing known yet.

        At the end of its log an idle topic advances by the time since its last event was read, and once idle for
        ``idle_after_ms`` by the time since that event was written, so that a backlog's last windows close too.
        """
        if self.max_event_ms is None:
            return NOT_WAITED_FOR if at_end else None
        elapsed = 0
        if at_end and self.last_seen_ms is not None:
            elapsed = max(0, now_ms - self.last_seen_ms)
            if elapsed >= idle_after_ms and self.last_kafka_ms is not None:
                elapsed = max(elapsed, now_ms - self.last_kafka_ms)
        return self.max_event_ms - disorder_ms + elapsed


@dataclass
class Watermark:
    """The watermark of one partition number; never runs back."""

    disorder_ms: int
    idle_after_ms: int = 30_000
    topics: dict[Kind, TopicProgress] = field(
        default_factory=lambda: {"social": TopicProgress(), "web": TopicProgress()}
    )
    current_ms: int = -1
    """The watermark reached; -1 before the first event."""

    def saw(self, kind: Kind, max_event_ms: int, kafka_ms: int, now_ms: int) -> None:
        """Events of one topic were read; ``max_event_ms`` is the newest event time among them."""
        topic = self.topics[kind]
        topic.max_event_ms = max(max_event_ms, topic.max_event_ms or max_event_ms)
        topic.last_kafka_ms, topic.last_seen_ms = kafka_ms, now_ms

    def before_each(self, kind: Kind, at: pl.Series) -> pl.Series:
        """The watermark of one topic just before each of its events, given their times in ms in the order of offsets.

        Judged row by row and by this topic alone: how far the other one was read, and how many records a fetch
        happened to return, would decide otherwise, and a replay must decide the same. Where the partition's watermark
        is beyond (its logs were idle), that one counts.
        """
        seen = self.topics[kind].max_event_ms
        newest = pl.concat([pl.Series([seen if seen is not None else -1], dtype=pl.Int64), at[:-1]]).cum_max()
        return (newest - self.disorder_ms).clip(lower_bound=self.current_ms)

    def end(self, beyond_ms: int) -> int:
        """The input has ended: moves ``beyond_ms`` past the newest event, whatever a topic still lacks."""
        newest = [topic.max_event_ms for topic in self.topics.values() if topic.max_event_ms is not None]
        self.current_ms = max(self.current_ms, *(at + beyond_ms for at in newest), -1)
        return self.current_ms

    def advance(self, now_ms: int, at_end: dict[Kind, bool]) -> int:
        """Moves on as far as both topics allow and returns where it stands."""
        marks = [
            topic.watermark(now_ms, at_end.get(kind, False), self.disorder_ms, self.idle_after_ms)
            for kind, topic in self.topics.items()
        ]
        known = [mark for mark in marks if mark is not None]
        if len(known) == len(marks) and min(known) < NOT_WAITED_FOR:
            self.current_ms = max(self.current_ms, min(known))
        return self.current_ms
