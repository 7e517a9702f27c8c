"""What must hold when a schedule has ended: everything once, every row right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from kolray.benchmarks.simulate.parts import Lasting
from kolray.benchmarks.simulate.rows import alert_key
from kolray.benchmarks.simulate.scenario import Scenario
from kolray.events import ALERTS_TOPIC, DLQ_TOPIC, KIND_OF_TOPIC, LATE_TOPIC
from kolray.schemas.registry import FileRegistry
from kolray.schemas.wire import decode_value, schema_id_of


def differences(scenario: Scenario, lasting: Lasting) -> list[str]:
    """One line a broken promise."""
    oracle, broker = scenario.oracle, lasting.broker
    read = [(topic, _decoded(value)) for topic, value in broker.committed]
    found = [
        *_once("alerts", (alert_key(row) for topic, row in read if topic == ALERTS_TOPIC), oracle.alerts),
        *_once("dead letters", (_place(row) for topic, row in read if topic == DLQ_TOPIC), oracle.dead),
        *_once("late events", (_place(row) for topic, row in read if topic == LATE_TOPIC), oracle.late),
        *_once("alerts in the store", lasting.store.alerts, oracle.alerts),
        *_once("final rows", lasting.store.final(), oracle.rows),
    ]
    newest = [held[max(held)] for held in lasting.disk.snapshots.values() if held]
    counts = Counter[str]()
    for snapshot in newest:
        counts.update(snapshot.head["counters"])
        for (topic, partition), log in broker.logs.items():
            if partition == snapshot.partition and snapshot.offsets[KIND_OF_TOPIC[topic]] != log[-1].last_offset + 1:
                found.append(f"{topic} {partition}: ends at {log[-1].last_offset + 1}, saved {snapshot.offsets}")
    for fate in ("counted", "duplicates", "late", "rejected"):
        if counts[fate] != oracle.counts.get(fate, 0):
            found.append(f"{fate}: {counts[fate]} records instead of {oracle.counts.get(fate, 0)}")
    return found


def _once(what: str, got: Iterable[Any], want: frozenset[Any]) -> list[str]:
    """Everything wanted is there once, and nothing else."""
    counts = Counter(got)
    if len(counts) == len(want) == counts.total() and counts.keys() == want:
        return []
    lost, extra = want - counts.keys(), counts.keys() - want
    twice = [item for item, n in counts.items() if n > 1]
    shown = min([*lost, *extra, *twice], key=repr)
    return [f"{what}: {len(lost)} lost, {len(extra)} too many, {len(twice)} twice, e.g. {shown}"]


def _place(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["topic"], row["partition"], row["offset"]


@lru_cache(maxsize=4096)
def _decoded(value: bytes) -> dict[str, Any]:
    return decode_value(value, FileRegistry().schema(schema_id_of(value)))
