"""After warming up, the first events compile nothing: that would be a pause which looks like a hang."""

from __future__ import annotations

from typing import Any

import polars as pl

from kolray.events import Kind
from kolray.schemas.registry import FileRegistry
from kolray.settings import StreamSettings
from kolray.stream.decode import BatchDecoder
from kolray.stream.hashset import insert, mark_known
from kolray.stream.records import gather, scan
from kolray.stream.state import COLUMNS, PartitionState, new_state
from kolray.stream.warm import warm_up
from tests.unit.stream.batches import T0, batch, records, social_frame, web_frame

COMPILED: tuple[Any, ...] = (scan, gather, insert, mark_known)


def _count(state: PartitionState, kind: Kind, frame: pl.DataFrame) -> int:
    decoded = BatchDecoder(FileRegistry(), columns=COLUMNS).decode(kind, [batch(kind, records(kind, frame))])
    state.on_events(kind, decoded.frame, T0)
    return decoded.frame.height


def test_the_first_events_find_everything_compiled() -> None:
    warm_up()
    before = [list(function.signatures) for function in COMPILED]
    state = new_state(StreamSettings())
    far = state.longest_ms + state.timing.lateness_ms  # into another bucket of the duplicate filter
    for part in range(3):
        rows = [{"event_id": f"{part}-{i}", "event_time": T0 - i % 2 * far} for i in range(600)]
        assert _count(state, "social", social_frame(rows)) == 600
        assert _count(state, "web", web_frame(rows)) == 600
    again = new_state(StreamSettings())
    for kind, seen in state.seen.items():
        again.seen[kind].restore(seen.snapshot())
    assert [list(function.signatures) for function in COMPILED] == before
