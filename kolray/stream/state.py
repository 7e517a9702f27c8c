"""The state of one partition number as a pure machine: no Kafka, Ray, clock or disk.

==============  =====================================================  =======================================
event           rule                                                   effect
==============  =====================================================  =======================================
``on_events``   seen ``event_id``                                      counted, dropped
                older than watermark - allowed lateness                counted, ``late``
                in a window already closed                             panes change, ``corrected`` window rows
                else                                                   panes change
``advance``     the watermark passed a window's end                    ``final`` rows, alerts of the patterns
``provisional`` panes changed since the last call                      pane rows, not final
==============  =====================================================  =======================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from kolray.events import COUNTS, Kind
from kolray.settings import StreamSettings
from kolray.stores.metrics import WINDOW_SCHEMA
from kolray.stream.denied import DenyList
from kolray.stream.duplicates import DuplicateFilter
from kolray.stream.patterns import RULES, Patterns, Rule
from kolray.stream.visitors import Visitors
from kolray.stream.watermark import Watermark
from kolray.stream.windows import (
    PANE_SCHEMA,
    WindowSpec,
    merge_panes,
    pane_aggregate,
    pane_ms,
    pane_rows,
    windows_of,
)

COLUMNS: dict[Kind, tuple[str, ...]] = {
    "social": ("event_id", "kol_id", "event_time", *COUNTS, "followers"),
    "web": ("event_id", "kol_id", "event_type", "event_time", "visitor"),
}
"""What the state reads of an event; ``sentiment`` beside it where comments are judged."""
SPOKEN: dict[Kind, tuple[str, ...]] = {**COLUMNS, "social": (*COLUMNS["social"], "event_type", "text")}
"""And what judging comments needs."""
NO_ROWS = pl.DataFrame(schema=WINDOW_SCHEMA)
"""What most rounds of the loop return, made once: making twenty empty columns takes as long as reading some events."""
LATE_COLUMNS = ("topic", "partition", "offset", "event_id", "kol_id", "event_time")


@dataclass(frozen=True)
class Timing:
    """Durations of the stream, in ms."""

    disorder_ms: int = 5_000
    lateness_ms: int = 300_000
    idle_after_ms: int = 30_000


@dataclass
class Counters:
    """What happened to every event read: ``events = counted + duplicates + late``; beside them ``rejected``, and
    ``denied``: dropped, as they are of a KOL that was erased."""

    events: int = 0
    counted: int = 0
    duplicates: int = 0
    late: int = 0
    rejected: int = 0
    windows: int = 0
    corrected: int = 0
    alerts: int = 0
    denied: int = 0


@dataclass
class PartitionState:
    """Panes, duplicates, visitors, time and patterns of one partition number of both raw topics."""

    specs: Sequence[WindowSpec]
    timing: Timing = field(default_factory=Timing)
    rules: tuple[Rule, ...] = RULES

    def __post_init__(self) -> None:
        self.pane_ms = pane_ms(self.specs)
        self.longest_ms = max(spec.size_ms for spec in self.specs)
        self.watermark = Watermark(self.timing.disorder_ms, self.timing.idle_after_ms)
        bucket = self.longest_ms + self.timing.lateness_ms
        self.seen: dict[Kind, DuplicateFilter] = {"social": DuplicateFilter(bucket), "web": DuplicateFilter(bucket)}
        self.visitors = Visitors(self.specs)
        self.patterns = Patterns(self.rules)
        self.counters = Counters()
        self.closed_ms = -1
        """Windows that end at or before this time were closed."""
        self.panes = pl.DataFrame(schema=PANE_SCHEMA)
        self._fresh: list[pl.DataFrame] = []
        self._unsent: list[pl.DataFrame] = []

    def on_events(self, kind: Kind, events: pl.DataFrame, now_ms: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Counts valid events of one topic-partition, oldest offset first.

        Returns:
            corrected window rows (``WINDOW_SCHEMA``) and late events (``LATE_COLUMNS``, ``watermark``).
        """
        self.counters.events += events.height
        new = self.seen[kind].first_seen(events)
        self.counters.duplicates += events.height - int(new.sum())
        at = events["event_time"].dt.epoch("ms")
        marks = self.watermark.before_each(kind, at)
        on_time = at >= marks - self.timing.lateness_ms
        tardy = new & ~on_time
        late = events.filter(tardy) if tardy.any() else events.clear()
        self.counters.late += late.height
        counts = new & on_time
        kept = events if counts.all() else events.filter(counts)
        self.counters.counted += kept.height
        self.watermark.saw(kind, at.max(), events["kafka_ms"].max(), now_ms)  # type: ignore[arg-type]
        corrected = NO_ROWS
        if kept.height:
            part = pane_aggregate(kind, kept, self.pane_ms)
            self._fresh.append(part)
            self._unsent.append(part.select("kol_id", "pane"))
            if kind == "web":
                self.visitors.add(kept)
            corrected = self._corrected(part)
        judged_by = marks.filter(tardy).cast(pl.Datetime("ms", "UTC")).alias("watermark")
        return corrected, late.select(*LATE_COLUMNS, judged_by)

    def _corrected(self, part: pl.DataFrame) -> pl.DataFrame:
        """Rows of closed windows that a late but allowed event changed."""
        touched = part.filter(pl.col("pane") < self.closed_ms).select("kol_id", "pane")
        if not touched.height:
            return NO_ROWS
        self._merge()
        mine = self.panes.join(touched.select("kol_id").unique(), on="kol_id", how="semi")
        rows = []
        for spec in self.specs:
            starts = touched.select(
                "kol_id", window_start=pl.concat_list(*_starts(spec)).cast(pl.List(WINDOW_SCHEMA["window_start"]))
            ).explode("window_start")
            closed = windows_of(mine, spec, None, self.closed_ms, self.pane_ms)
            rows.append(closed.join(starts.unique(), on=["kol_id", "window_start"], how="semi"))
        corrected = self.visitors.counted(pl.concat(rows))
        self.counters.corrected += corrected.height
        return corrected

    @property
    def due_ms(self) -> int:
        """How far the watermark is from the end of the first pane that is open."""
        return self.closed_ms + self.pane_ms - self.watermark.current_ms

    def advance(self, now_ms: int, at_end: dict[Kind, bool]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Moves the watermark and closes windows.

        Returns:
            final rows (``WINDOW_SCHEMA``) and alerts (``ALERT_SCHEMA``).
        """
        return self._close(self.watermark.advance(now_ms, at_end))

    def end_of_input(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Closes every window: a bounded run has read all there is. Returns as ``advance``."""
        return self._close(self.watermark.end(self.longest_ms + self.pane_ms))

    def _close(self, mark: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        until = mark // self.pane_ms * self.pane_ms
        if until <= self.closed_ms:
            return NO_ROWS, self.patterns.none()
        self._merge()
        rows = self._rows_until(until)
        self.closed_ms = until
        self._forget()
        alerts = self.patterns.on_closed(rows)
        self.counters.windows += rows.height
        self.counters.alerts += alerts.height
        return rows, alerts

    def _rows_until(self, until_ms: int) -> pl.DataFrame:
        """Final rows of the windows that close when time has come to ``until_ms``."""
        recent = self.panes.filter(pl.col("pane") >= self.closed_ms - self.longest_ms)
        closed = pl.concat(windows_of(recent, spec, self.closed_ms, until_ms, self.pane_ms) for spec in self.specs)
        return self.visitors.counted(closed)

    def provisional(self) -> pl.DataFrame:
        """Rows (``window = 'pane'``, not final) of panes changed since the last call, with their whole sums."""
        if not self._unsent:
            return NO_ROWS
        self._merge()
        changed = pl.concat(self._unsent).unique()
        self._unsent = []
        return self.visitors.counted(pane_rows(self.panes.join(changed, on=["kol_id", "pane"], how="semi")))

    def _merge(self) -> None:
        if self._fresh:
            self.panes = merge_panes([self.panes, *self._fresh])
            self._fresh = []

    def _forget(self) -> None:
        """Drops what no allowed event can change any more."""
        horizon = self.watermark.current_ms - self.longest_ms - self.timing.lateness_ms
        self.panes = self.panes.filter(pl.col("pane") >= horizon)
        for seen in self.seen.values():
            seen.forget_before(horizon)
        self.visitors.forget_before(horizon)

    @property
    def size_bytes(self) -> int:
        """Bytes of the panes, the duplicate filters and the visitors."""
        panes = sum(frame.estimated_size() for frame in (self.panes, *self._fresh))
        return int(panes) + sum(seen.size_bytes for seen in self.seen.values()) + self.visitors.size_bytes

    def drop(self, denied: DenyList) -> None:
        """Forgets KOLs that were erased. Hashes of their events' ids stay: they name nobody."""
        self.panes = denied.allowed(self.settled_panes())
        held = denied.allowed(self.visitors.snapshot())
        self.visitors = Visitors(self.specs)
        self.visitors.restore(held)
        self.patterns.restore({kind: denied.allowed(table) for kind, table in self.patterns.snapshot().items()})

    def settled_panes(self) -> pl.DataFrame:
        """All panes, merged: what a snapshot holds."""
        self._merge()
        return self.panes


def new_state(stream: StreamSettings, rules: tuple[Rule, ...] = RULES) -> PartitionState:
    """An empty state with the windows and durations of the settings."""
    timing = Timing(
        int(stream.disorder_s * 1000), int(stream.allowed_lateness_s * 1000), int(stream.idle_after_s * 1000)
    )
    return PartitionState([WindowSpec.parse(text) for text in stream.windows], timing, rules)


def _starts(spec: WindowSpec) -> list[pl.Expr]:
    last = pl.col("pane") - pl.col("pane") % spec.slide_ms
    return [last - k * spec.slide_ms for k in range(spec.size_ms // spec.slide_ms)]
