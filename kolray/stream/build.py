"""Composition root of a shard: settings in, a restored-on-demand ``Shard`` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import polars as pl
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from kolray.clock import Clock, SystemClock
from kolray.errors import ServiceUnavailableError
from kolray.events import RAW_TOPICS
from kolray.protocols import BatchScorer, TextClassifier
from kolray.schemas.registry import Registry, open_registry
from kolray.settings import KafkaSettings, Settings
from kolray.stores.kafka_access import for_kafka_python
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.checkpoint import open_checkpoints
from kolray.stream.decode import BatchDecoder
from kolray.stream.denied import DenyList, open_deny_list
from kolray.stream.fetch import BatchFetcher
from kolray.stream.meters import Meters
from kolray.stream.outputs import open_publisher
from kolray.stream.partition import PartitionRunner
from kolray.stream.patterns.watching import open_rules
from kolray.stream.scoring import Scoring
from kolray.stream.sentiment import FindModel, no_model
from kolray.stream.shard import Shard
from kolray.stream.sinks import StoreWriter
from kolray.stream.state import COLUMNS, SPOKEN, new_state
from kolray.stream.warm import warm_up

CLASSIFY_ROWS = 512
T = TypeVar("T")


@dataclass(frozen=True)
class Models:
    """What judges and scores beside the stream, as factories that are small to send to a shard's process.

    Args:
        classifier: the sentiment model for new comments.
        older: sentiment models by version, for comments of panes in which another one is in force.
        scorer: scores KOLs whose windows close, in a thread of its own; unused with ``stream.scores`` off.
    """

    classifier: Callable[[], TextClassifier] | None = None
    older: FindModel = no_model
    scorer: Callable[[], BatchScorer] | None = None


def build_shard(
    settings: Settings,
    partitions: list[int],
    models: Models,
    *,
    until_end: bool = False,
    beat: Callable[[], None] = lambda: None,
) -> Shard:
    """A shard over some partition numbers of both raw topics, on the servers the settings name.

    Args:
        beat: called by the loop at least once a round, and while it waits for a store or a model.
    """
    warm_up(beat)
    meters = Meters()
    clock, registry = SystemClock(), open_registry(settings.registry.url)
    denied = open_deny_list(settings)
    scoring = _scoring(settings, models.scorer, denied) if models.scorer and settings.stream.scores else None
    return Shard(
        runners=_runners(settings, partitions, models, registry, clock, beat, scoring, denied, meters),
        open_source=lambda starts: BatchFetcher(settings.kafka, starts, committed_only=settings.kafka.transactions),
        decoder=BatchDecoder(
            registry, settings.stream.far_future_s, SPOKEN if models.classifier else COLUMNS, denied=denied
        ),
        settings=settings.stream,
        clock=clock,
        until_end=until_end,
        beat=beat,
        scoring=scoring,
        at_once=in_threads,
        denied=denied,
        meters=meters,
    )


def in_threads(work: Callable[[PartitionRunner], T], runners: Iterable[PartitionRunner], /) -> Iterator[T]:
    """``map`` with a thread for each partition; ends when all have, also where one raises."""
    waiting = list(runners)
    with ThreadPoolExecutor(len(waiting), thread_name_prefix="partition") as pool:
        yield from pool.map(work, waiting)


def _scoring(settings: Settings, scorer: Callable[[], BatchScorer], denied: DenyList) -> Scoring:
    stores = partial(open_metrics_store, settings), partial(open_feature_store, settings.redis)
    return Scoring(scorer, *stores, denied)


def _runners(
    settings: Settings,
    partitions: list[int],
    models: Models,
    registry: Registry,
    clock: Clock,
    beat: Callable[[], None],
    scoring: Scoring | None,
    denied: DenyList,
    meters: Meters,
) -> dict[int, PartitionRunner]:
    writer = StoreWriter(open_metrics_store(settings), open_feature_store(settings.redis), beat, meters)
    broker = broker_identity(settings.kafka)
    rules = open_rules(settings.stream.patterns_file, settings.stream.windows, clock)
    classifier = BeatingClassifier(models.classifier(), beat) if models.classifier else None
    states = {number: new_state(settings.stream, rules()) for number in partitions}
    for state in states.values():
        state.patterns.beat = beat
    return {
        number: PartitionRunner(
            partition=number,
            state=state,
            checkpoints=open_checkpoints(settings),
            publisher=open_publisher(settings.kafka, registry, number),
            writer=writer,
            clock=clock,
            broker=broker,
            classifier=classifier,
            older=models.older,
            rules=rules,
            on_closed=partial(scoring.closed, number) if scoring else None,
            denied=denied,
        )
        for number, state in states.items()
    }


@dataclass
class BeatingClassifier:
    """Classifies in parts with a heartbeat between: a transformer on a CPU takes its time."""

    inner: TextClassifier
    beat: Callable[[], None]

    def __post_init__(self) -> None:
        self.version = self.inner.version

    def classify(self, texts: pl.Series) -> pl.Series:
        """As the inner one, text by text."""
        parts = []
        for at in range(0, len(texts), CLASSIFY_ROWS):
            self.beat()
            parts.append(self.inner.classify(texts[at : at + CLASSIFY_ROWS]))
        return pl.concat(parts) if parts else self.inner.classify(texts)


def broker_identity(kafka: KafkaSettings) -> dict[str, str]:
    """Cluster id and topic ids: they change when a broker loses its log or is replaced.

    Raises:
        ServiceUnavailableError: Kafka does not answer, or the raw topics do not exist.
    """
    try:
        admin = KafkaAdminClient(**for_kafka_python(kafka), bootstrap_timeout_ms=10_000)
        try:
            cluster = str(admin.describe_cluster().get("cluster_id"))
            topics = admin.describe_topics(list(RAW_TOPICS.values()))
        finally:
            admin.close()
    except KafkaError as error:
        raise ServiceUnavailableError("Kafka", kafka.bootstrap, f"start it with `kolray up` ({error})") from error
    found = {topic["name"]: str(topic["topic_id"]) for topic in topics if not topic["error_code"]}
    missing = set(RAW_TOPICS.values()) - set(found)
    if missing:
        raise ServiceUnavailableError("Kafka", kafka.bootstrap, f"make its topics with `kolray init` (no {missing})")
    return {"cluster": cluster, **found}
