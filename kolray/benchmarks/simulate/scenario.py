"""A tiny world of events whose fates do not depend on how the two topics interleave.

* *Counted*: no event is older than its own topic's newest by more than the allowed lateness, less the time a schedule
  may take. Lateness is judged by an event's own topic, so no order of reading makes such an event late.
* *Late*: hours older than what its own topic has shown before.
* *Alerts*: the ``hot`` KOL has one event a window, newer than all before it in its topic, so no window closes early.
* *Duplicates*: a copy follows its original in the same topic while the filter retains it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import polars as pl

from kolray.benchmarks.simulate.oracle import Fate, Oracle, Place, final_rows, runs_of
from kolray.benchmarks.simulate.records import Record, batch, event_frame, records
from kolray.events import KINDS, RAW_TOPICS, Kind
from kolray.settings import StreamSettings
from kolray.stream.fetch import RawBatch
from kolray.stream.patterns import Rule
from kolray.stream.patterns.reading import parse

START_MS = 1_760_002_200_000
"""Wall time at which every schedule begins: a whole five minutes."""
PANE_MS = 300_000
HOURS_AGO_MS = 3 * 3_600_000
LONGEST_S = 240
"""Wall time a schedule may take, clocks that go wrong included: the fates rest on it."""
SETTINGS = StreamSettings(windows=("5m", "15m/5m"), allowed_lateness_s=600, flush_interval_s=0.5)
DISORDER_MS = 350_000
"""How much older than its topic's newest an event may be: lateness + disorder - ``LONGEST_S``, and some room."""
HOT_LIKES = 100
HOT_RULES: tuple[Rule, ...] = parse(
    """
[[pattern]]
name = "hot"
window = "5m"
[[pattern.step]]
when = "likes >= 100"
[[pattern]]
name = "hot_twice"
window = "5m"
[[pattern.step]]
when = "likes >= 100"
times = 2
""",
    "the simulation's patterns",
)


@dataclass
class Scenario:
    """``arrivals``: (topic, partition) → batches in the order of their offsets."""

    partitions: int
    arrivals: dict[tuple[str, int], list[RawBatch]]
    oracle: Oracle
    partition_of: dict[str, int] = field(default_factory=dict)


@dataclass
class _Topic:
    """What is being written to one topic-partition."""

    kind: Kind
    partition: int
    arrivals: list[RawBatch] = field(default_factory=list)
    offset: int = 0
    made: int = 0
    newest_ms: int = 0
    kept: list[dict[str, Any]] = field(default_factory=list)
    fates: list[tuple[Fate, Place]] = field(default_factory=list)


def make_scenario(seed: int) -> Scenario:
    """The scenario of a seed: one to three partitions, two to four batches of each topic."""
    chance = Random(seed)  # noqa: S311 - not a secret: a repeatable world
    partitions = chance.choice((1, 1, 1, 2, 2, 3))
    topics: list[_Topic] = []
    alerts: set[tuple[str, str, int]] = set()
    for number in range(partitions):
        n_batches = 3 if partitions > 1 else chance.randint(3, 4)
        first_ms = START_MS - n_batches * PANE_MS
        hot = [chance.choice((True, True, True, False)) for _ in range(n_batches)]
        social, web = _Topic("social", number), _Topic("web", number)
        for place in range(n_batches):
            at = first_ms + place * PANE_MS
            _write(chance, social, at, hot[place])
            if place < n_batches - 1 or partitions > 1 or chance.random() < 0.5:
                _write(chance, web, at, None)
        starts = [first_ms + place * PANE_MS for place in range(n_batches)]
        alerts |= {("hot", f"hot{number}", starts[i]) for i, is_hot in enumerate(hot) if is_hot}
        alerts |= {("hot_twice", f"hot{number}", starts[i]) for i in runs_of(hot, 2)}
        topics += [social, web]
    kols = {f"{name}{number}": number for name in ("hot", "kol") for number in range(partitions)}
    arrivals = {(RAW_TOPICS[topic.kind], topic.partition): topic.arrivals for topic in topics}
    return Scenario(partitions, arrivals, _oracle(topics, alerts), kols)


def _oracle(topics: list[_Topic], alerts: set[tuple[str, str, int]]) -> Oracle:
    events: dict[Kind, pl.DataFrame] = {
        kind: event_frame(kind, [row for topic in topics if topic.kind == kind for row in topic.kept]) for kind in KINDS
    }
    fates = [fate for topic in topics for fate in topic.fates]
    return Oracle(
        rows=final_rows(events, SETTINGS.windows),
        alerts=frozenset(alerts),
        dead=frozenset(place for fate, place in fates if fate == "rejected"),
        late=frozenset(place for fate, place in fates if fate == "late"),
        counts=dict(Counter(fate for fate, _ in fates)),
    )


def _write(chance: Random, topic: _Topic, at_ms: int, hot: bool | None) -> None:
    """One batch over the five minutes from ``at_ms``: ``hot`` is the hot KOL's window."""
    rows: list[tuple[Fate, dict[str, Any] | None]] = []
    if hot is not None:
        rows.append(("counted", _event(topic, "hot", at_ms + 10_000, likes=HOT_LIKES if hot else 1)))
    rows += [("counted", _someone(chance, topic, at_ms)) for _ in range(chance.randint(1, 3))]
    for fate in chance.sample(("duplicates", "late", "rejected", "none", "none"), 2):
        if fate == "duplicates":
            originals = [row for first_fate, row in rows if row and first_fate == "counted"] + topic.kept[-3:]
            rows.append(("duplicates", dict(chance.choice(originals))))
        elif fate == "late" and topic.offset:
            rows.append(("late", _event(topic, "kol", at_ms - HOURS_AGO_MS)))
        elif fate == "rejected":
            rows.append(("rejected", chance.choice((None, _event(topic, "kol", START_MS + 400_000)))))
    _append(topic, rows)


def _someone(chance: Random, topic: _Topic, at_ms: int) -> dict[str, Any]:
    at = at_ms + chance.randrange(15_000, 290_000)
    if chance.random() < 0.4:
        at = max(at - chance.randrange(DISORDER_MS), topic.newest_ms - DISORDER_MS)
    more = {}
    if topic.kind == "social":
        more = {"likes": chance.randrange(5), "followers": chance.choice((None, 1000 + chance.randrange(50)))}
    return _event(topic, "kol", at, **more)


def _event(topic: _Topic, kol: str, at_ms: int, **more: Any) -> dict[str, Any]:
    """The next event of a topic; what is no rule-breaker moves the topic's newest time."""
    topic.newest_ms = max(topic.newest_ms, at_ms if at_ms <= START_MS else 0)
    topic.made += 1
    event_id = f"{topic.kind}{topic.partition}-{topic.made}"
    row = {"event_id": event_id, "kol_id": f"{kol}{topic.partition}", "event_time": at_ms, **more}
    if topic.kind == "social":
        return row | {"platform": "youtube", "event_type": "engagement"}
    types = ("impression", "click", "conversion")
    return row | {
        "campaign_id": "c1",
        "event_type": types[at_ms % 3],
        "visitor": f"v{at_ms % 5}",
        "consent": True,
        "url": "https://x.example",
    }


def _append(topic: _Topic, rows: list[tuple[Fate, dict[str, Any] | None]]) -> None:
    base = topic.offset
    for place, (fate, row) in enumerate(rows):
        if row is not None and fate == "counted":
            topic.kept.append(row)
        topic.fates.append((fate, (RAW_TOPICS[topic.kind], topic.partition, base + place)))
    good = iter(records(topic.kind, event_frame(topic.kind, [row for _, row in rows if row is not None])))
    junk: Record = (b"kol", b"junk", [])
    items = [junk if row is None else next(good) for _, row in rows]
    topic.arrivals.append(batch(topic.kind, items, base=base, at_ms=START_MS, partition=topic.partition))
    topic.offset += len(items)
