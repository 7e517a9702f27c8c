"""The partition state: time, lateness, idleness, provisional rows, and its snapshot. Disorder: ``test_disorder.py``."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.events import Kind
from kolray.stream.snapshot import Snapshot, fingerprint, put_back, take
from kolray.stream.state import PartitionState, Timing
from kolray.stream.windows import WindowSpec
from tests.unit.stream.batches import T0, social_frame, web_frame

SPECS = [WindowSpec.parse(text) for text in ("5m", "15m", "15m/5m", "1h")]
MINUTE = 60_000
KEYS = ["kol_id", "window", "window_start"]


def placed(frame: pl.DataFrame, first_offset: int = 0) -> pl.DataFrame:
    return frame.with_columns(
        topic=pl.lit("t"),
        partition=pl.lit(0, pl.Int32),
        offset=pl.int_range(first_offset, first_offset + frame.height),
        kafka_ms=pl.col("event_time").dt.epoch("ms"),
        schema_id=pl.lit(1, pl.Int32),
    )


def state(**timing: int) -> PartitionState:
    return PartitionState(SPECS, Timing(**timing))


def upserted(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """What a store holds after these writes: the last row of each key."""
    return pl.concat(parts).unique(KEYS, keep="last", maintain_order=True).sort(KEYS)


def run(machine: PartitionState, batches: list[tuple[Kind, pl.DataFrame]]) -> tuple[pl.DataFrame, int]:
    """(rows a store would hold, late events)."""
    rows, late = [], 0
    for kind, batch in batches:
        corrected, too_late = machine.on_events(kind, placed(batch), now_ms=0)
        rows.append(corrected)
        late += too_late.height
        rows.append(machine.advance(0, {})[0])
    rows.append(machine.end_of_input()[0])
    return upserted(rows), late


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["social", "web"]),
            "kol_id": st.sampled_from(["a", "b"]),
            "minute": st.integers(0, 180),
            "jitter_ms": st.integers(0, 59_999),
            "likes": st.integers(0, 5),
            "followers": st.none() | st.integers(0, 1 << 40),
            "visitor": st.none() | st.sampled_from(["u", "v", "w", "x"]),
            "twice": st.booleans(),
        }
    ),
    min_size=1,
    max_size=40,
)


def _frames(events: list[dict[str, Any]]) -> list[tuple[Kind, dict[str, Any]]]:
    out: list[tuple[Kind, dict[str, Any]]] = []
    for i, e in enumerate(events):
        at = T0 + e["minute"] * MINUTE + e["jitter_ms"]
        row: dict[str, Any] = {"event_id": f"{e['kind']}{i}", "kol_id": e["kol_id"], "event_time": at}
        if e["kind"] == "social":
            row |= {"likes": e["likes"], "followers": e["followers"]}
        else:
            row |= {"visitor": e["visitor"]}
        out += [(e["kind"], row)] * (2 if e["twice"] else 1)
    return out


def test_an_event_within_the_lateness_corrects_its_closed_window() -> None:
    machine = state()
    machine.on_events("social", placed(social_frame([{"likes": 1}])), 0)
    machine.on_events("web", placed(web_frame([{"event_time": T0 + 6 * MINUTE}])), 0)
    machine.on_events("social", placed(social_frame([{"event_id": "x", "event_time": T0 + 6 * MINUTE}])), 0)
    closed, _ = machine.advance(0, {})
    assert closed.filter(pl.col("window") == "5m")["likes"].to_list() == [1]
    corrected, late = machine.on_events(
        "social", placed(social_frame([{"event_id": "y", "likes": 2, "event_time": T0 + 2 * MINUTE}])), 0
    )
    assert corrected.filter(pl.col("window") == "5m")["likes"].to_list() == [3]
    assert late.is_empty()
    assert machine.counters.corrected == corrected.height > 0


def test_a_visitor_within_the_lateness_corrects_the_count_of_closed_windows() -> None:
    machine = state()
    machine.on_events("web", placed(web_frame([{"visitor": "u"}, {"event_time": T0 + 6 * MINUTE}])), 0)
    machine.on_events("social", placed(social_frame([{"event_time": T0 + 6 * MINUTE}])), 0)
    closed, _ = machine.advance(0, {})
    assert unique(closed, "5m") == [1]
    late = [
        {"event_id": "y", "visitor": "w", "event_time": T0 + 2 * MINUTE},
        {"event_id": "z", "visitor": "u", "event_time": T0 + 2 * MINUTE},
    ]
    corrected, _ = machine.on_events("web", placed(web_frame(late)), 0)
    assert unique(corrected, "5m") == [2]


def unique(rows: pl.DataFrame, window: str) -> list[int]:
    return rows.filter(pl.col("window") == window)["unique_visitors"].to_list()


def test_an_event_beyond_the_lateness_is_kept_aside_with_its_offset() -> None:
    machine = state()
    machine.on_events("social", placed(social_frame([{"event_time": T0 + 60 * MINUTE}])), 0)
    machine.on_events("web", placed(web_frame([{"event_time": T0 + 60 * MINUTE}])), 0)
    machine.advance(0, {})
    corrected, late = machine.on_events("social", placed(social_frame([{"event_id": "late"}]), first_offset=9), 0)
    assert corrected.is_empty()
    assert late.select("event_id", "offset").row(0) == ("late", 9)
    assert machine.counters.late == 1


def test_lateness_does_not_depend_on_how_far_the_other_topic_was_read() -> None:
    social = social_frame([{"event_id": "on time", "event_time": T0 + 60 * MINUTE}, {"event_id": "late"}])
    for read_before in (0, 30, 90):
        machine = state()
        if read_before:
            machine.on_events("web", placed(web_frame([{"event_time": T0 + read_before * MINUTE}])), 0)
        _, late = machine.on_events("social", placed(social), 0)
        assert late["event_id"].to_list() == ["late"], read_before
        assert late["watermark"].dt.epoch("ms").to_list() == [T0 + 60 * MINUTE - 5_000]


def test_a_window_waits_for_both_topics() -> None:
    machine = state()
    machine.on_events("social", placed(social_frame([{"event_time": T0 + 60 * MINUTE}])), 0)
    assert machine.advance(0, {"social": True, "web": False})[0].is_empty()


def test_an_idle_topic_does_not_hold_windows_open() -> None:
    machine = state()
    machine.on_events("social", placed(social_frame([{}])), now_ms=T0)
    assert machine.advance(T0 + 4 * MINUTE, {"social": True, "web": True})[0].is_empty()
    rows, _ = machine.advance(T0 + 6 * MINUTE, {"social": True, "web": True})
    assert "5m" in rows["window"].to_list()


def test_provisional_rows_carry_the_whole_pane_and_only_what_changed() -> None:
    machine = state()
    machine.on_events("social", placed(social_frame([{"likes": 1}, {"kol_id": "other", "likes": 4}])), 0)
    assert machine.provisional().height == 2
    machine.on_events("social", placed(social_frame([{"event_id": "n", "likes": 2}])), 0)
    again = machine.provisional()
    assert again.select("kol_id", "likes", "final").rows() == [("kol_1", 3, False)]
    assert machine.provisional().is_empty()


def test_provisional_rows_carry_the_visitors_of_their_pane() -> None:
    machine = state()
    machine.on_events("web", placed(web_frame([{"visitor": "u"}, {"visitor": "v"}, {"visitor": None}])), 0)
    assert unique(machine.provisional(), "pane") == [2]
    machine.on_events("web", placed(web_frame([{"event_id": "a", "visitor": "v"}])), 0)
    assert unique(machine.provisional(), "pane") == [2]


@settings(max_examples=15, deadline=None)
@given(EVENTS, st.integers(0, 40))
def test_a_snapshot_restores_to_the_same_rows(events: list[dict[str, Any]], cut: int) -> None:
    rows = _frames(events)
    make = {"social": social_frame, "web": web_frame}
    batches = [(kind, make[kind]([row])) for kind, row in rows]
    whole, _ = run(state(lateness_ms=4 * 60 * MINUTE), batches)  # type: ignore[arg-type]
    first = state(lateness_ms=4 * 60 * MINUTE)
    before = []
    for kind, batch in batches[:cut]:
        before += [first.on_events(kind, placed(batch), 0)[0], first.advance(0, {})[0]]
    head, frames = take(first)
    taken = Snapshot(0, 1, 1, fingerprint(first), {}, {}, 0, head, frames, {})
    second = state(lateness_ms=4 * 60 * MINUTE)
    put_back(second, Snapshot.from_bytes(taken.to_bytes()))
    after, _ = run(second, batches[cut:])  # type: ignore[arg-type]
    assert_frame_equal(upserted([*before, after]), whole)
    assert second.counters.events == len(rows)
