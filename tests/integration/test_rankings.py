"""Rankings on a real Redis: filters that follow a KOL, the ring of hours, and time that passes alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from kolray.benchmarks.rankings import run
from kolray.events import TIME
from kolray.local import servers
from kolray.local.profiles import one_server
from kolray.settings import RedisSettings, load_settings
from kolray.stores.features import FeatureStore
from kolray.stores.open import open_feature_store
from kolray.stores.rankings import BYS

NOON = datetime.fromisoformat("2026-03-12T12:00:00+00:00")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSettings]:
    """A Redis of these tests."""
    home = tmp_path_factory.mktemp("redis")
    with one_server(servers.redis, home):
        yield load_settings(home=home).redis


DATABASES = iter(range(16))


@pytest.fixture
def live(redis: RedisSettings) -> Iterator[FeatureStore]:
    """A store without anything in it."""
    url = f"{redis.url.removesuffix('0')}{next(DATABASES)}"
    store = open_feature_store(redis.model_copy(update={"url": url}))
    yield store
    store.close()


def _hours(*rows: tuple[str, int, int, int | None, int | None]) -> pl.DataFrame:
    """Of (KOL, hours after noon, likes, first followers, last followers)."""
    names = ("kol_id", "window_start", "likes", "followers_first", "followers_last")
    frame = pl.DataFrame([(k, NOON + h * HOUR, *rest) for k, h, *rest in rows], schema=names, orient="row")
    return frame.with_columns(pl.col("window_start").cast(TIME), comments=pl.lit(1), shares=pl.lit(0))


def _values(live: FeatureStore, by: Any, **where: Any) -> dict[str, float]:
    return {row.kol_id: row.value for row in live.rankings(by, **where).rows}


def test_a_kol_that_moves_leaves_the_rankings_it_was_in(live: FeatureStore) -> None:
    kols = pl.DataFrame({"kol_id": ["a", "b", "c"], "platform": ["x", "x", None], "category": ["food", None, "food"]})
    live.place(kols)
    for by in BYS:
        live.put_ranking(by, pl.DataFrame({"kol_id": ["a", "b", "c"], "value": [3.0, 2.0, 1.0]}))
        assert live.places(by, ["c", "nobody", "a"]) == {"c": (3, 1.0), "a": (1, 3.0)}
        assert _values(live, by, platform="x") == {"a": 3, "b": 2}
        assert _values(live, by, category="food") == {"a": 3, "c": 1}
        assert _values(live, by, platform="x", category="food") == {"a": 3}
    live.place(pl.DataFrame({"kol_id": ["a", "b"], "platform": ["y", None], "category": ["food", None]}))
    for by in BYS:
        assert _values(live, by, platform="x") == {"b": 2}, "b is known no better than before"
        assert _values(live, by, platform="y", category="food") == {"a": 3}
        assert _values(live, by, category="food") == {"a": 3, "c": 1}
    assert live.rankings("trust", "y").rows == [("a", 3.0, "y", "food")]


def test_pages_join_and_equal_values_have_an_order(live: FeatureStore) -> None:
    ids = [f"k{i:02d}" for i in range(25)]
    live.put_ranking("success", pl.DataFrame({"kol_id": ids, "value": [i // 5 for i in range(25)]}))
    pages = [live.rankings("success", limit=10, offset=at) for at in (0, 10, 20)]
    assert [page.total for page in pages] == [25] * 3
    assert [row.kol_id for page in pages for row in page.rows] == ids[::-1]
    live.put_ranking("success", pl.DataFrame({"kol_id": ids[:3], "value": [9.0, None, 8.0]}), whole=True)
    assert _values(live, "success") == {"k00": 9, "k02": 8}


def test_engagement_and_growth_cover_the_day_that_ends_with_the_newest_hour(live: FeatureStore) -> None:
    live.put_hours(_hours(("a", 0, 10, 100, 110), ("a", 1, 5, 110, 90), ("b", 0, 1, None, None)))
    assert _values(live, "engagement") == {"a": 17, "b": 2}
    assert _values(live, "growth") == {"a": pytest.approx(-0.1)}
    live.put_hours(_hours(("a", 0, 20, 100, 110), ("a", 1, 5, 110, 90)))
    assert _values(live, "engagement")["a"] == 27, "an hour that comes again replaces itself"
    live.put_hours(_hours(("c", 24, 4, 50, 55)))
    assert live.sweep_rankings() == 2
    assert _values(live, "engagement") == {"a": 6, "c": 5}, "noon is a day ago; of b nothing is left"
    assert _values(live, "growth") == {"a": pytest.approx(-20 / 110), "c": pytest.approx(0.1)}
    live.put_hours(_hours(("b", 0, 9, None, None)))
    assert "b" not in _values(live, "engagement"), "too old to count"
    assert live.sweep_rankings() == 0


def test_an_erased_kol_is_in_no_ranking(live: FeatureStore) -> None:
    live.place(pl.DataFrame({"kol_id": ["a"], "platform": ["x"], "category": ["food"]}))
    live.put_hours(_hours(("a", 0, 10, 100, 110), ("b", 0, 1, None, None)))
    live.put_ranking("trust", pl.DataFrame({"kol_id": ["a", "b"], "value": [1.0, 2.0]}))
    assert live.forget("a") > 0
    assert live.traces("a") == 0
    assert _values(live, "engagement") == {"b": 2}
    assert all(set(_values(live, by)) <= {"b"} for by in BYS)


def test_the_bench_reads_full_pages_in_order() -> None:
    figures = run(kols=1000, pages=200, seed=1, say=lambda _: None)
    assert figures["problems"] == 0
    assert figures["page_p50_ms"] > 0
