"""Unique visitors against sets: exact below K, near above, the same in any order, after any restore."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.events import TIME
from kolray.stream.visitors import SPARE_KOLS, K, Visitors
from kolray.stream.windows import WindowSpec
from tests.unit.stream.batches import T0

SPECS = [WindowSpec.parse(text) for text in ("5m", "15m/5m", "1h")]
PANE = 300_000
Seen = tuple[int, int, int]
"""KOL, pane, visitor."""


def web(seen: list[Seen]) -> pl.DataFrame:
    kols, panes, visitors = (pl.Series([row[i] for row in seen], dtype=pl.Int64) for i in range(3))
    return crowd(kols, panes, visitors)


def crowd(kols: pl.Series, panes: pl.Series, visitors: pl.Series) -> pl.DataFrame:
    frame = pl.DataFrame({"kol": kols, "pane": panes, "v": visitors})
    return frame.select(
        pl.format("kol_{}", "kol").alias("kol_id"),
        (T0 + pl.col("pane") * PANE + 7).cast(TIME).alias("event_time"),
        pl.format("v{}", "v").alias("visitor"),
    )


def people(first: int, n: int, kol: int = 0, pane: int = 0) -> pl.DataFrame:
    """Visitors number ``first`` to ``first + n``."""
    kols, panes = (pl.Series([value]).new_from_index(0, n) for value in (kol, pane))
    return crowd(kols, panes, pl.int_range(first, first + n, eager=True))


def asked(window: str = "5m", panes: int = 6, kols: int = 4) -> pl.DataFrame:
    """A row for every KOL and window start."""
    keys = [(f"kol_{k}", window, T0 + p * PANE, None) for k in range(kols) for p in range(panes)]
    schema = {"kol_id": pl.String, "window": pl.String, "window_start": pl.Int64, "unique_visitors": pl.Int64}
    return pl.DataFrame(keys, schema=schema, orient="row").with_columns(pl.col("window_start").cast(TIME))


def count(visitors: Visitors, window: str = "5m", kol: int = 0) -> int:
    """Of the first window."""
    counted = visitors.counted(asked(window)).filter(kol_id=f"kol_{kol}")
    return int(counted["unique_visitors"][0])


SEEN = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=60)


@given(SEEN, st.integers(1, 9), st.sampled_from(["pane", "5m", "15m/5m", "1h"]), st.booleans())
def test_few_visitors_are_counted_exactly(seen: list[Seen], size: int, window: str, restored: bool) -> None:
    visitors = Visitors(SPECS)
    for at in range(0, len(seen), size):
        visitors.add(web(seen[at : at + size]))
        if restored:
            again = Visitors(SPECS)
            again.restore(visitors.snapshot())
            visitors = again
    panes = {"pane": 1, "5m": 1, "15m/5m": 3, "1h": 12}[window]
    counted = visitors.counted(asked(window)).with_columns(pl.col("window_start").dt.epoch("ms"))
    for kol_id, start, got in counted.select("kol_id", "window_start", "unique_visitors").rows():
        first = (start - T0) // PANE
        assert got == len({v for k, p, v in seen if f"kol_{k}" == kol_id and first <= p < first + panes})


def test_visitors_that_are_not_known_do_not_count() -> None:
    visitors = Visitors(SPECS)
    visitors.add(people(0, 5).with_columns(visitor=pl.lit(None, pl.String)))
    assert count(visitors) == 0
    assert visitors.snapshot().is_empty()


@pytest.mark.parametrize("n", [K - 1, K, K + 1, 5_000, 200_000])
def test_many_visitors_are_estimated_within_four_standard_errors(n: int) -> None:
    visitors = Visitors(SPECS)
    visitors.add(people(0, n))
    if n < K:
        assert count(visitors) == n
    else:
        assert K <= count(visitors) == pytest.approx(n, rel=4 / (K - 2) ** 0.5)
    assert visitors.size_bytes < 8 * K + 100


def test_a_window_counts_who_came_back_once() -> None:
    visitors = Visitors(SPECS)
    for pane in range(3):
        visitors.add(people(0, 20_000, pane=pane))
    assert count(visitors, "15m/5m") == count(visitors, "5m")
    visitors.add(people(20_000, 20_000, pane=2))
    assert count(visitors, "15m/5m") == pytest.approx(40_000, rel=0.13)


@given(st.permutations(range(6)), st.integers(0, 6))
def test_any_order_of_merging_gives_the_same_estimate(order: list[int], settle_at: int) -> None:
    parts = [people(i * 300, 900, kol=i % 2, pane=i % 3) for i in range(6)]
    whole, pieces = Visitors(SPECS), Visitors(SPECS)
    whole.add(pl.concat(parts))
    for step, i in enumerate(order):
        pieces.add(parts[i])
        if step == settle_at:
            pieces.counted(asked())
    for window in ("5m", "15m/5m", "1h"):
        assert_frame_equal(pieces.counted(asked(window)), whole.counted(asked(window)))
    assert_frame_equal(pieces.snapshot().sort("pane", "kol_id"), whole.snapshot().sort("pane", "kol_id"))


def test_the_hash_is_the_same_in_every_version() -> None:
    """Rows in the stores were counted with it: after another one ``verify`` would find differences."""
    visitors = Visitors(SPECS)
    visitors.add(people(0, 3))
    assert visitors.snapshot()["hashes"].to_list() == [[90477654962, 146664274226, 453565131109]]


def test_forgotten_panes_and_kols_cost_nothing() -> None:
    visitors = Visitors(SPECS)
    n = 4 * SPARE_KOLS
    visitors.add(crowd(pl.int_range(n, eager=True), pl.Series([0]).new_from_index(0, n), pl.int_range(n, eager=True)))
    visitors.add(people(0, 10, kol=3, pane=5))
    full = visitors.size_bytes
    visitors.forget_before(T0 + PANE)
    assert visitors.size_bytes < full / 20
    rows = visitors.counted(asked())
    assert rows.filter(pl.col("unique_visitors") > 0)["kol_id"].to_list() == ["kol_3"]
    visitors.add(people(5, 10, kol=3, pane=5))
    assert visitors.counted(asked("1h"))["unique_visitors"].max() == 15


def test_nothing_asked_is_nothing_answered() -> None:
    assert Visitors(SPECS).counted(asked().clear()).is_empty()
    assert Visitors(SPECS).counted(asked())["unique_visitors"].to_list() == [0] * 24
