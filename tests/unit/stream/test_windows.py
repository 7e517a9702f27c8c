"""Window arithmetic and the values of rows."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.errors import SettingsError
from kolray.features.window_metrics import ratio_exprs
from kolray.stream.windows import WindowSpec, merge_panes, pane_aggregate, pane_ms, windows_of
from tests.unit.stream.batches import T0, social_frame, web_frame

PANE = 300_000


@pytest.mark.parametrize("text", ["", "5", "m5", "0m", "15m/4m", "5m/", "5m/10m"])
def test_a_malformed_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="15m/5m"):
        WindowSpec.parse(text)


def test_the_pane_is_the_greatest_common_divisor() -> None:
    assert pane_ms(WindowSpec.parse(text) for text in ("10m", "15m/5m", "1h")) == 300_000


def test_a_pane_too_long_to_pack_is_refused() -> None:
    with pytest.raises(SettingsError, match="120 min"):
        pane_ms([WindowSpec.parse("2h")])


def test_a_sliding_window_holds_every_pane_it_covers() -> None:
    #   event at T0      |--|
    #   windows 15m/5m   [-10 … +5) [-5 … +10) [0 … +15)
    panes = pane_aggregate("social", social_frame([{"likes": 2}]), PANE)
    rows = windows_of(panes, WindowSpec.parse("15m/5m"))
    starts = sorted(rows["window_start"].dt.epoch("ms").to_list())
    assert starts == [T0 - 600_000, T0 - 300_000, T0]
    assert rows["likes"].to_list() == [2, 2, 2]


def test_a_window_is_half_open() -> None:
    frame = social_frame([{"event_time": T0 + PANE - 1}, {"event_time": T0 + PANE}])
    rows = windows_of(pane_aggregate("social", frame, PANE), WindowSpec.parse("5m")).sort("window_start")
    assert rows["events"].to_list() == [1, 1]


def test_a_ratio_without_a_denominator_is_null() -> None:
    rows = windows_of(pane_aggregate("social", social_frame([{"likes": 3}]), PANE), WindowSpec.parse("5m"))
    ratios = rows.select(ratio_exprs()).row(0)
    assert ratios == (None,) * 6


def test_follower_velocity_is_per_hour_between_observations() -> None:
    frame = social_frame([{"followers": 100}, {"followers": 160, "event_time": T0 + 180_000}])
    rows = windows_of(pane_aggregate("social", frame, PANE), WindowSpec.parse("1h"))
    assert rows.select(ratio_exprs()).filter(pl.col("follower_velocity_per_hour") == 1200.0).height == 1


def test_web_counts_stand_apart_from_social_counts() -> None:
    web = web_frame([{}, {"event_type": "click"}, {"event_type": "conversion"}])
    row = windows_of(pane_aggregate("web", web, PANE), WindowSpec.parse("5m")).row(0, named=True)
    assert (row["web_events"], row["web_impressions"], row["web_clicks"], row["web_conversions"]) == (3, 1, 1, 1)
    assert row["events"] == row["clicks"] == 0


@given(
    st.lists(st.tuples(st.integers(0, 3_600_000), st.none() | st.integers(0, 1 << 40)), min_size=1, max_size=30),
    st.integers(1, 10),
)
def test_panes_merge_in_any_order(observations: list[tuple[int, int | None]], parts: int) -> None:
    frame = social_frame([{"event_time": T0 + at, "followers": n, "views": 1} for at, n in observations])
    whole = pane_aggregate("social", frame, PANE).sort("kol_id", "pane")
    pieces = [pane_aggregate("social", frame[i::parts], PANE) for i in range(parts)]
    assert_frame_equal(merge_panes(pieces[::-1]).sort("kol_id", "pane"), whole)
