"""What the live figures are computed from, on numbers small enough to follow."""

from __future__ import annotations

import polars as pl

from kolray.benchmarks.live.finals import beyond
from kolray.benchmarks.live.full_state import full_state_mb
from kolray.benchmarks.live.probing import POLLS, delays
from kolray.benchmarks.live.recovery import HOUR_MS, an_hour
from kolray.benchmarks.live.sending import SLICE_S, Load
from kolray.benchmarks.live.slides import slides


def _sent(*rows: tuple[str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"kol_id": pl.String, "at_ms": pl.Int64, "n": pl.UInt32}, orient="row")


def _polls(*rows: tuple[str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=POLLS, orient="row")


def test_the_nth_event_is_seen_at_the_first_poll_that_shows_n() -> None:
    # sent   a: 2 at 0, 1 at 50                 b: 1 at 0
    # polls  a: 1 at 100, 3 at 200, 3 at 300    b: 1 at 300
    sent = _sent(("a", 0, 2), ("b", 0, 1), ("a", 50, 1))
    polls = _polls(("a", 100, 1), ("a", 200, 3), ("a", 300, 3), ("b", 300, 1))
    found = delays(sent, polls)
    assert sorted(found.filter(pl.col("at_ms") == 0)["delay_ms"].to_list()) == [100, 200, 300]
    assert found.filter(pl.col("at_ms") == 50)["delay_ms"].to_list() == [150]


def test_an_event_that_is_never_seen_has_no_delay() -> None:
    found = delays(_sent(("a", 0, 2), ("b", 10, 1)), _polls(("a", 100, 1)))
    assert found["delay_ms"].to_list().count(None) == 2
    assert found.height == 3


def test_slices_add_up_to_the_rate_and_ids_are_of_one_run() -> None:
    load = Load(rate=2000, seconds=1, n_kols=50, run="r1-")
    frames = [part for number in range(round(1 / SLICE_S)) for part in load.slice(number)]
    of = {kind: pl.concat(frame for k, frame in frames if k == kind) for kind in ("social", "web")}
    assert (of["social"].height, of["web"].height) == (1600, 400)
    for frame in of.values():
        assert frame["event_id"].n_unique() == frame.height
        assert frame["kol_id"].str.starts_with("r1-kol_").all()
    assert load.kol_id(0) in of["social"]["kol_id"]


def test_finals_are_judged_beyond_the_watermark_without_the_first_and_last_window() -> None:
    rows = pl.DataFrame(
        {"window_start": [0, 10_000, 20_000, 30_000], "appended_ms": [15_900, 25_100, 35_300, 45_900], "events": 1}
    )
    assert beyond(rows).to_list() == [100, 300]


def test_states_of_few_and_many_slides_see_the_same_events() -> None:
    found = slides(20_000, n_kols=50, rounds=1)
    assert found.events == 20_000
    assert found.many_rows > found.few_rows > 0
    assert min(found.few_state_s, found.many_state_s, found.few_rows_s, found.many_rows_s) > 0


def test_in_an_hour_every_kol_has_as_many_events_evenly_spread() -> None:
    end_ms = 1_760_003_700_000
    load = Load(rate=1, seconds=1, n_kols=50, run="r1-")
    events = pl.concat(frame.select("event_id", "kol_id", "event_time") for _, frame in an_hour(load, 4, end_ms))
    at = events["event_time"].dt.epoch("ms")
    assert events["event_id"].n_unique() == events.height == 200
    assert set(events.group_by("kol_id").len()["len"]) == {4}
    assert end_ms - HOUR_MS <= at.min() < at.max() <= end_ms  # type: ignore[operator]


def test_a_full_state_holds_every_kol_in_every_pane() -> None:
    few, many = full_state_mb(200, partitions=2), full_state_mb(20_000, partitions=2)
    assert 20_000 * 12 * 8 * 10 / (1 << 20) < many < 300
    assert few < many / 10
