"""One sentiment model a pane, whatever is restarted with which model, and ``verify`` judges as the stream did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from kolray.clock import SystemClock
from kolray.lake.tables import TABLES, LakeTables
from kolray.lake.verify import SentimentHistory, Verdict, verify
from kolray.models.sentiment import KeptClassifiers, LinearClassifier, default_classifier
from kolray.protocols import TextClassifier
from kolray.schemas.registry import FileRegistry
from kolray.settings import S3Settings, StreamSettings
from kolray.stores.metrics import Version
from kolray.stream.checkpoint import FolderCheckpoints, recorded_sentiment
from kolray.stream.decode import BatchDecoder
from kolray.stream.partition import PartitionRunner
from kolray.stream.sentiment import NONE, Span, mixed, no_model, switched, with_sentiment
from kolray.stream.shard import Shard
from kolray.stream.state import new_state
from kolray.testing.stores import MemoryStore
from kolray.testing.stream import MemoryLog, MemoryRows, MemoryTopic
from tests.unit.lake.rows import add
from tests.unit.stream.batches import T0, batch, records, social_frame

MINUTE = 60_000
PANE = 5 * MINUTE
SETTINGS = StreamSettings(windows=("5m", "15m/5m"), checkpoint_interval_s=1e-9)


class Always:
    """Judges every comment alike."""

    def __init__(self, mood: int) -> None:
        self.mood, self.version = mood, f"always{mood}"

    def classify(self, texts: pl.Series) -> pl.Series:
        return pl.Series([self.mood] * len(texts), dtype=pl.Int8)


GLAD, SAD = Always(1), Always(-1)


@pytest.mark.parametrize(
    ("spans", "version", "free", "expected"),
    [
        ([], "a", 0, [(0, "a")]),
        ([(0, "a")], "a", 900, [(0, "a")]),
        ([(0, "a")], "b", 900, [(0, "a"), (900, "b")]),
        ([(0, "a"), (900, "b")], "c", 900, [(0, "a"), (900, "c")]),  # b never judged anything
        ([(0, "a"), (900, "b")], "a", 900, [(0, "a")]),
        ([(0, "a")], "b", 0, [(0, "b")]),  # nothing was counted yet
    ],
)
def test_a_model_comes_into_force_where_no_event_was(
    spans: list[Span], version: str, free: int, expected: list[Span]
) -> None:
    assert switched(spans, version, free) == expected


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, "new")], [(0, "new")]),
        ([(0, "gone"), (900, "new")], [(0, "gone"), (600, "gone+new"), (900, "new")]),
        ([(0, "gone"), (600, "gone+new"), (900, "new")], [(0, "gone"), (600, "gone+new"), (900, "new")]),
        ([(0, "gone"), (300, "kept"), (900, "new")], [(0, "gone"), (300, "kept"), (900, "new")]),
        ([(0, NONE), (900, "new")], [(0, NONE), (900, "new")]),
    ],
)
def test_panes_that_two_models_judge_are_named_so(spans: list[Span], expected: list[Span]) -> None:
    def find(version: str) -> TextClassifier | None:
        return GLAD if version in ("kept", "new") else None

    assert mixed(spans, "new", 600, find) == expected


def test_each_comment_is_judged_by_the_model_of_its_pane() -> None:
    rows = [{"event_type": "comment", "text": "x", "event_time": T0 + i * PANE} for i in range(4)]
    rows += [{"event_type": "comment", "text": None}, {"event_type": "engagement"}]
    spans = [(0, "sad"), (T0 + PANE, "glad"), (T0 + 3 * PANE, NONE)]
    models: dict[str, Always] = {"sad": SAD, "glad": GLAD}
    judged = with_sentiment(social_frame(rows), spans, models.get)
    assert judged["sentiment"].to_list() == [-1, 1, 1, None, None, None]


class World:
    """A log of one comment a minute, a store, checkpoints, and the lake of the same events."""

    def __init__(self, folder: Path) -> None:
        comment = {"event_type": "comment", "text": "x"}
        rows = [{"event_id": f"e{i}", **comment, "event_time": T0 + i * MINUTE} for i in range(30)]
        rows.append({"event_id": "late", **comment, "event_time": T0 + 26 * MINUTE})
        self.events = social_frame(rows)
        items = records("social", self.events)
        batches = [batch("social", [item], base=i, at_ms=T0 + i * MINUTE) for i, item in enumerate(items)]
        self.log, self.rows, self.topic = MemoryLog(batches), MemoryRows(), MemoryTopic()
        self.folder = folder / "checkpoints"
        self.tables = LakeTables(str(folder / "lake"))
        place = {"topic": pl.lit("t"), "partition": pl.lit(0, pl.Int32), "offset": pl.int_range(pl.len())}
        kept = self.events.with_columns(
            **place, kafka_time="event_time", schema_id=pl.lit(1, pl.Int32), ingest_time="event_time", dt=pl.lit(None)
        )
        schema = pl.Schema(TABLES["bronze.social"])
        add(self.tables, "bronze.social", kept.with_columns(dt=pl.col("event_time").dt.date()).cast(schema))

    def run(self, classifier: Always | None, rounds: int, older: Callable[[str], TextClassifier | None]) -> None:
        """A shard that reads so many records more, and vanishes; 0: to the end."""
        runner = PartitionRunner(
            partition=0,
            state=new_state(SETTINGS),
            checkpoints=FolderCheckpoints(self.folder),
            publisher=self.topic.publisher(0),
            writer=self.rows,
            clock=SystemClock(),
            broker={"cluster": "one"},
            classifier=classifier,
            older=older,
        )
        decoder = BatchDecoder(FileRegistry())
        shard = Shard({0: runner}, self.log.source, decoder, SETTINGS, SystemClock(), until_end=True)
        shard.restore()
        for _ in range(rounds):
            shard.step()
        while not rounds and not shard.finished:
            shard.step()

    def moods(self) -> list[tuple[int, int]]:
        """Positive and negative comments of each five minutes."""
        rows = self.rows.final().filter(window="5m").sort("window_start")
        return rows.select("positive", "negative").rows()

    def verify(self, ours: Always, find: Callable[[str], TextClassifier | None]) -> Verdict:
        store = MemoryStore()
        store.upsert_windows(self.rows.final(), Version(1, 1))
        history = SentimentHistory(recorded_sentiment(FolderCheckpoints(self.folder)), find)
        return verify(self.tables, store, SETTINGS.windows, ours, history)


def test_a_new_model_judges_from_the_first_pane_without_events(tmp_path: Path) -> None:
    world, kept = World(tmp_path), {"always1": GLAD, "always-1": SAD}.get
    world.run(GLAD, 12, kept)
    world.run(SAD, 3, kept)  # in the third pane, which has events already
    world.run(SAD, 0, kept)
    assert recorded_sentiment(FolderCheckpoints(world.folder)) == {0: [(0, "always1"), (T0 + 3 * PANE, "always-1")]}
    assert world.moods() == [(5, 0), (5, 0), (5, 0), (0, 5), (0, 5), (0, 6)]
    verdict = world.verify(SAD, kept)
    assert verdict.differences.is_empty()
    assert verdict.unchecked == ()
    assert verdict.windows > 10


def test_verify_says_which_model_it_lacks_and_compares_the_rest(tmp_path: Path) -> None:
    world, kept = World(tmp_path), {"always1": GLAD}.get
    world.run(GLAD, 12, kept)
    world.run(SAD, 0, kept)
    verdict = world.verify(SAD, no_model)
    assert verdict.differences.is_empty()
    assert verdict.unchecked == ("always1",)
    wrong = world.verify(Always(0), {"always1": GLAD, "always-1": Always(0)}.get)
    assert set(wrong.differences["column"]) == {"negative"}


def test_a_model_that_is_gone_is_stood_in_for_and_nobody_claims_otherwise(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(GLAD, 12, no_model)
    world.run(SAD, 0, no_model)
    spans = recorded_sentiment(FolderCheckpoints(world.folder))[0]
    assert [version for _, version in spans] == ["always1", "always1+always-1", "always-1"]
    assert world.moods()[2] == (2, 3)
    verdict = world.verify(SAD, {"always1": GLAD}.get)
    assert verdict.differences.is_empty()
    assert verdict.unchecked == ("always1+always-1",)


def test_a_stream_without_a_model_and_with_one_later(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(None, 12, no_model)
    world.run(GLAD, 0, no_model)
    assert world.moods() == [(0, 0), (0, 0), (0, 0), (5, 0), (5, 0), (6, 0)]
    assert world.verify(GLAD, no_model).differences.is_empty()


def test_models_are_kept_beside_the_checkpoints(tmp_path: Path) -> None:
    classifiers = KeptClassifiers(str(tmp_path), S3Settings())
    newest = classifiers()
    assert sorted(file.name for file in (tmp_path / "sentiment").iterdir()) == [f"{newest.version}.npz", "newest"]
    other = LinearClassifier(default_classifier().weights, default_classifier().bias + 1)
    (tmp_path / "sentiment" / f"{other.version}.npz").write_bytes(other.to_bytes())
    found = classifiers.find(other.version)
    assert found is not None
    assert found.version == other.version != newest.version
    assert classifiers.find("linear-unknown") is None
    assert classifiers.find(newest.version) is newest
