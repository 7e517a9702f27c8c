"""Scoring beside the stream: each KOL once, never in the way, and nothing that goes wrong stops it."""

from __future__ import annotations

import logging
import threading

import polars as pl
import pytest

from kolray.errors import NotFoundError, ServiceUnavailableError
from kolray.stores.metrics import SCORE_SCHEMA
from kolray.stream.scoring import Scoring, Waiting
from kolray.testing.clock import START
from kolray.testing.stores import MemoryStore


class MemoryLive:
    """The part of the feature store that scores go to."""

    def __init__(self) -> None:
        self.scores = pl.DataFrame(schema=SCORE_SCHEMA)
        self.platforms: dict[str, str] = {}

    def put_scores(self, scores: pl.DataFrame, kols: pl.DataFrame) -> None:
        self.scores = pl.concat([self.scores, scores])
        self.platforms |= dict(kols.select("kol_id", "platform").rows())

    def close(self) -> None: ...


class Fixed:
    """Scores every KOL 70; waits for ``gate`` in its first batch, raises what it is told."""

    def __init__(self, *errors: Exception | None, gate: threading.Event | None = None) -> None:
        self.batches: list[list[str]] = []
        self.begun, self.twice = threading.Event(), threading.Event()
        self._errors, self._gate = list(errors), gate

    def score(self, kol_ids: list[str]) -> pl.DataFrame:
        self.batches.append(sorted(kol_ids))
        self.begun.set()
        if len(self.batches) == 2:
            self.twice.set()
        if self._gate is not None:
            self._gate.wait(30)
        error = self._errors.pop(0) if self._errors else None
        if error is not None:
            raise error
        row = ("trust:1", START, 70.0, 60.0, 80.0, 0.3, START, 0.1, "{}", "tiktok", "food")
        schema = {**SCORE_SCHEMA, "platform": pl.String, "category": pl.String}
        return pl.DataFrame([(kol_id, *row) for kol_id in kol_ids], schema=schema, orient="row")


class Bench:
    def __init__(self, scorer: Fixed) -> None:
        self.store, self.live, self.scorer = MemoryStore(), MemoryLive(), scorer
        self.scoring = Scoring(lambda: scorer, lambda: self.store, lambda: self.live)  # type: ignore[arg-type, return-value]

    def close_windows(self, *kol_ids: str, partition: int = 0) -> None:
        self.scoring.closed(partition, pl.Series("kol_id", kol_ids))


def test_closed_kols_are_scored_in_one_batch_a_partition() -> None:
    bench = Bench(Fixed())
    bench.close_windows("a", "b")
    bench.close_windows("c", partition=1)
    bench.scoring.drain()
    bench.scoring.close()
    assert bench.scorer.batches == [["a", "b"], ["c"]]
    assert bench.store.scores("a").height == bench.store.scores("c").height == 1
    assert bench.live.scores["kol_id"].sort().to_list() == ["a", "b", "c"]
    assert bench.live.platforms["a"] == "tiktok"
    assert bench.scoring.scored == sum(bench.scoring.told()["points"]["counts"]) == 3


def test_a_kol_that_waits_is_scored_once_however_often_its_windows_close() -> None:
    gate = threading.Event()
    bench = Bench(Fixed(gate=gate))
    bench.close_windows("a")
    bench.scorer.begun.wait(30)
    for _ in range(100):  # returns at once, although a batch is held up
        bench.close_windows("a", "b")
    gate.set()
    bench.scoring.drain()
    bench.scoring.close()
    assert bench.scorer.batches == [["a"], ["a", "b"]]


def test_without_a_champion_nothing_is_scored_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    none = NotFoundError("no trust model")
    bench = Bench(Fixed(none, none))
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            bench.close_windows("a")
            bench.scoring.drain()
    bench.close_windows("a")
    bench.scoring.drain()
    bench.scoring.close()
    assert [r.message for r in caplog.records] == ["KOLs are not scored: no trust model"]
    assert bench.scoring.scored == 1


def test_what_goes_wrong_does_not_end_the_scoring(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(Fixed(ValueError("broken model")))
    bench.close_windows("a")
    bench.scoring.drain()
    bench.close_windows("b")
    bench.scoring.drain()
    bench.scoring.close()
    assert "1 KOLs could not be scored" in caplog.text
    assert bench.live.scores["kol_id"].to_list() == ["b"]


def test_kols_wait_for_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kolray.stream.scoring.RETRY_S", 0.0)
    bench = Bench(Fixed(ServiceUnavailableError("Redis", "x:1", "start it"), None))
    bench.close_windows("a", "b")
    assert bench.scorer.twice.wait(30)
    bench.scoring.drain()
    bench.scoring.close()
    assert bench.scorer.batches == [["a", "b"], ["a", "b"]]
    assert bench.scoring.scored == 2


def test_a_bounded_run_does_not_wait_for_a_server_that_is_away() -> None:
    gate = threading.Event()
    bench = Bench(Fixed(ServiceUnavailableError("Redis", "x:1", "start it"), gate=gate))
    bench.close_windows("a")
    bench.scorer.begun.wait(30)
    bench.scoring.drain(beat=gate.set)
    bench.scoring.close()
    assert bench.scoring.scored == 0


def test_a_scoring_that_was_never_asked_ends_at_once() -> None:
    bench = Bench(Fixed())
    bench.scoring.drain()
    bench.scoring.close()


def test_the_partition_that_waits_longest_comes_first() -> None:
    waiting = Waiting()
    waiting.add(1, pl.Series(["a"]))
    waiting.add(0, pl.Series(["b"]))
    waiting.add(1, pl.Series(["c", "a"]))
    assert len(waiting) == 3
    partition, kols, since = waiting.take()
    assert (partition, sorted(kols)) == (1, ["a", "c"])
    assert waiting.since is not None
    assert since <= waiting.since
    assert waiting.take()[0] == 0
    assert not waiting
