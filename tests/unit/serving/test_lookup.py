"""Which source answers for a KOL, what it costs when one fails, and what is said of old features."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

import polars as pl
import pytest

from kolray.errors import NotFoundError, ServiceUnavailableError
from kolray.serving.contracts import SourceName
from kolray.serving.feature_sources import FAILED, Budgeted, Features, StoreSource
from kolray.serving.lookup import FeatureLookup
from kolray.serving.single_flight import SingleFlight
from kolray.stores.metrics import SCORE_SCHEMA
from kolray.testing.clock import FakeClock
from kolray.testing.stores import MemoryStore
from tests.silver import START

DAY = timedelta(days=1)
VALUES = {"posts_per_day": 1.0}


class Held:
    """A source that answers with features of this age, or fails (``None`` age: knows nothing)."""

    def __init__(self, name: SourceName, age: timedelta | None = None, *, away: bool = False) -> None:
        self.name, self.age, self.away = name, age, away
        self.asked = 0

    def read(self, kol_id: str) -> Features | None:
        self.asked += 1
        if self.away:
            raise ServiceUnavailableError(self.name, "here", "start it")
        return None if self.age is None else Features(VALUES, START - self.age, self.name)


def _lookup(*sources: Held) -> FeatureLookup:
    def past(kol_id: str, as_of: datetime) -> Features | None:
        return Features(VALUES, as_of - DAY, "lake") if as_of >= START else None

    return FeatureLookup(sources, past, DAY, FakeClock(START))


@pytest.mark.parametrize(
    ("redis", "store", "lake", "source", "stale"),
    [
        (Held("redis", DAY), Held("metrics_store", DAY / 2), Held("lake", DAY / 4), "redis", False),
        (Held("redis"), Held("metrics_store", DAY), Held("lake", DAY), "metrics_store", False),
        (Held("redis", away=True), Held("metrics_store", away=True), Held("lake", DAY), "lake", False),
        (Held("redis", 2 * DAY), Held("metrics_store"), Held("lake", DAY), "lake", False),
        (Held("redis", 3 * DAY), Held("metrics_store", 2 * DAY), Held("lake", 4 * DAY), "metrics_store", True),
        (Held("redis", 2 * DAY), Held("metrics_store", 2 * DAY), Held("lake", away=True), "redis", True),
    ],
)
def test_the_first_fresh_source_answers_and_old_features_say_so(
    redis: Held, store: Held, lake: Held, source: str, stale: bool
) -> None:
    found = _lookup(redis, store, lake).features("k")
    assert (found.source, found.stale) == (source, stale)
    assert lake.asked == (source != "redis" or stale) * (source != "metrics_store" or stale)


def test_unknown_is_said_only_by_the_source_that_knows_every_kol() -> None:
    with pytest.raises(NotFoundError, match="nothing is known about the KOL 'k'"):
        _lookup(Held("redis", away=True), Held("lake")).features("k")
    with pytest.raises(ServiceUnavailableError, match="lake does not answer"):
        _lookup(Held("redis"), Held("lake", away=True)).features("k")


def test_the_past_is_read_as_of_its_time() -> None:
    lookup = _lookup(Held("redis", DAY), Held("lake"))
    assert lookup.features("k", START).as_of == START - DAY
    with pytest.raises(NotFoundError, match="as of"):
        lookup.features("k", START - DAY)


def test_a_source_that_fails_in_a_row_is_left_alone() -> None:
    source = Held("lake", away=True)
    budgeted = Budgeted(source, 5)
    for _ in range(FAILED + 3):
        with pytest.raises(ServiceUnavailableError):
            budgeted.read("k")
    assert source.asked == FAILED


def test_a_source_that_dawdles_counts_as_away_and_one_that_breaks_too() -> None:
    done = threading.Event()

    class Slow(Held):
        def read(self, kol_id: str) -> Features | None:
            done.wait(30)
            return super().read(kol_id)

    class Broken(Held):
        def read(self, kol_id: str) -> Features | None:
            raise OSError("torn file")

    with pytest.raises(ServiceUnavailableError, match=r"no answer within 0\.01 s"):
        Budgeted(Slow("lake", DAY), 0.01).read("k")
    done.set()
    with pytest.raises(ServiceUnavailableError, match="torn file"):
        Budgeted(Broken("lake"), 5).read("k")


def test_who_asks_for_what_is_being_made_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()

    class Seen(Future[str]):
        def result(self, timeout: float | None = None) -> str:
            waits.set()
            return super().result(timeout)

    monkeypatch.setattr("kolray.serving.single_flight.Future", Seen)
    flights = SingleFlight()
    with ThreadPoolExecutor(1) as pool:

        def first() -> str:
            asked.append(pool.submit(flights.run, "k", lambda: "the second's own"))
            waits.wait(30)
            return "the first's"

        asked: list[Future[str]] = []
        assert flights.run("k", first) == asked[0].result(30) == "the first's"
    assert flights.run("k", lambda: "anew") == "anew"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            flights.run("k", lambda: f"{1 / 0}")


def test_features_of_a_score_serve_unless_the_model_needs_more() -> None:
    store = MemoryStore()
    row = {"kol_id": "k", "model": "trust:1", "as_of": START, "features": '{"a": 1.0, "b": null}'}
    score = pl.DataFrame([row | dict.fromkeys(set(SCORE_SCHEMA) - set(row))], schema=SCORE_SCHEMA)
    store.upsert_scores(score)
    found = StoreSource(store, lambda: ("a", "b")).read("k")
    assert found is not None
    assert (found.as_of, found.values) == (START, {"a": 1.0, "b": None})
    assert StoreSource(store, lambda: ("a", "c")).read("k") is None
    assert StoreSource(store, tuple).read("nobody") is None
