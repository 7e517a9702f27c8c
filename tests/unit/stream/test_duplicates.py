"""The duplicate filter against a set."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kolray.stream.duplicates import DuplicateFilter
from tests.unit.stream.batches import T0, social_frame

IDS = st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=20), max_size=12)


@given(IDS)
def test_an_id_is_new_exactly_once(batches: list[list[tuple[int, int]]]) -> None:
    seen: set[str] = set()
    duplicates = DuplicateFilter(bucket_ms=60_000)
    for batch in batches:
        frame = social_frame([{"event_id": f"e{i}", "event_time": T0 + minute * 60_000} for i, minute in batch])
        expected = []
        for event_id in frame["event_id"]:
            expected.append(event_id not in seen)
            seen.add(event_id)
        assert duplicates.first_seen(frame).to_list() == expected
    assert len(duplicates) == len(seen)


def test_forgotten_buckets_free_their_ids() -> None:
    duplicates = DuplicateFilter(bucket_ms=60_000)
    frame = social_frame([{}])
    duplicates.first_seen(frame)
    duplicates.forget_before(T0)
    assert len(duplicates) == 1
    duplicates.forget_before(T0 + 60_000)
    assert len(duplicates) == 0


def test_a_snapshot_remembers() -> None:
    first, second = DuplicateFilter(60_000), DuplicateFilter(60_000)
    frame = social_frame([{}, {"event_id": "z", "event_time": T0 + 600_000}])
    first.first_seen(frame)
    second.restore(first.snapshot())
    assert not second.first_seen(frame).any()
    assert isinstance(first.snapshot(), pl.DataFrame)
