"""Any disorder within the lateness gives the rows of a batch, however it is cut into fetches over both topics."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from kolray.benchmarks.simulate.oracle import Row, final_rows
from kolray.events import Kind
from kolray.stream.state import PartitionState, Timing
from kolray.stream.windows import WindowSpec
from tests.unit.stream.batches import T0, social_frame, web_frame

WINDOWS = ("5m", "15m", "15m/5m", "1h")
TIMING = Timing(disorder_ms=5_000, lateness_ms=600_000)
MOST_LATE_MS = TIMING.disorder_ms + TIMING.lateness_ms
"""An event may be so much older than the newest its topic has shown, and not a millisecond more."""
KEYS = ["kol_id", "window", "window_start"]
MAKE = {"social": social_frame, "web": web_frame}

EVENT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["social", "web"]),
        "kol_id": st.sampled_from(["a", "b"]),
        "at_ms": st.integers(0, 4 * 3_600_000) | st.sampled_from([0, 299_999, 300_000, 3_600_000]),
        "likes": st.integers(0, 5),
        "followers": st.none() | st.integers(0, 1 << 40),
        "delays_ms": st.lists(st.integers(0, MOST_LATE_MS) | st.just(MOST_LATE_MS), min_size=1, max_size=2),
    }
)
"""One event, and how late each of its copies arrives."""
FETCHES = st.lists(st.tuples(st.sampled_from(["social", "web"]), st.integers(1, 8)), max_size=30)
"""Which topic is read next, and how many records of it."""


def _row(number: int, event: dict[str, Any]) -> dict[str, Any]:
    row = {"event_id": f"e{number}", "kol_id": event["kol_id"], "event_time": T0 + event["at_ms"]}
    return row | ({"likes": event["likes"], "followers": event["followers"]} if event["kind"] == "social" else {})


def _arrivals(kind: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One topic's records in the order they arrive: each by its time and its delay."""
    copies = [
        (event["at_ms"] + delay, number, event)
        for number, event in enumerate(events)
        if event["kind"] == kind
        for delay in event["delays_ms"]
    ]
    return [_row(number, event) for _, number, event in sorted(copies, key=lambda copy: copy[:2])]


def _placed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        topic=pl.lit("t"),
        partition=pl.lit(0, pl.Int32),
        offset=pl.int_range(frame.height),
        kafka_ms=pl.col("event_time").dt.epoch("ms"),
        schema_id=pl.lit(1, pl.Int32),
    )


def _kept(parts: list[pl.DataFrame]) -> frozenset[Row]:
    """What a store holds after these writes."""
    rows = pl.concat(parts).unique(KEYS, keep="last", maintain_order=True)
    return frozenset(rows.with_columns(pl.col("window_start").dt.epoch("ms")).rows())


@settings(max_examples=60)
@given(st.lists(EVENT, min_size=1, max_size=40), FETCHES)
def test_any_disorder_within_the_lateness_gives_rows_equal_to_the_batch_oracle(
    events: list[dict[str, Any]], fetches: list[tuple[str, int]]
) -> None:
    todo = {kind: _arrivals(kind, events) for kind in MAKE}
    sent = {kind: len(rows) for kind, rows in todo.items()}
    machine, written = PartitionState([WindowSpec.parse(text) for text in WINDOWS], TIMING), []
    for kind, size in [*fetches, ("social", 1000), ("web", 1000)]:
        batch, todo[kind] = todo[kind][:size], todo[kind][size:]
        if batch:
            corrected, late = machine.on_events(kind, _placed(MAKE[kind](batch)), now_ms=0)  # type: ignore[arg-type]
            assert late.is_empty()
            written += [corrected, machine.advance(0, {})[0]]
    written.append(machine.end_of_input()[0])
    once: dict[Kind, pl.DataFrame] = {
        "social": social_frame([_row(i, event) for i, event in enumerate(events) if event["kind"] == "social"]),
        "web": web_frame([_row(i, event) for i, event in enumerate(events) if event["kind"] == "web"]),
    }
    assert _kept(written) == final_rows(once, WINDOWS)
    counters = machine.counters
    assert (counters.events, counters.counted) == (sum(sent.values()), len(events))
    assert counters.duplicates == counters.events - len(events)
