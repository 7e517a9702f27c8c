"""Composition root of a shard: settings in, a restored-on-demand ``Shard`` out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from kolray.clock import Clock, SystemClock
from kolray.errors import ServiceUnavailableError
from kolray.events import RAW_TOPICS
from kolray.protocols import TextClassifier
from kolray.schemas.registry import open_registry
from kolray.settings import KafkaSettings, Settings
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.checkpoint import open_checkpoints
from kolray.stream.decode import BatchDecoder
from kolray.stream.fetch import BatchFetcher
from kolray.stream.outputs import open_publisher
from kolray.stream.partition import PartitionRunner
from kolray.stream.patterns.watching import open_rules
from kolray.stream.shard import Shard
from kolray.stream.sinks import StoreWriter
from kolray.stream.state import new_state

CLASSIFY_ROWS = 512


def build_shard(
    settings: Settings,
    partitions: list[int],
    *,
    until_end: bool = False,
    classifier: TextClassifier | None = None,
    clock: Clock | None = None,
    beat: Callable[[], None] = lambda: None,
) -> Shard:
    """A shard over some partition numbers of both raw topics, on the servers the settings name.

    Args:
        beat: called by the loop at least once a round, and while it waits for a store or a model.
    """
    clock = clock or SystemClock()
    registry = open_registry(settings.registry.url)
    writer = StoreWriter(open_metrics_store(settings), open_feature_store(settings.redis), beat)
    broker = broker_identity(settings.kafka)
    rules = open_rules(settings.stream.patterns_file, settings.stream.windows, clock)
    runners = {
        number: PartitionRunner(
            partition=number,
            state=new_state(settings.stream, rules()),
            checkpoints=open_checkpoints(settings),
            publisher=open_publisher(settings.kafka, registry, number),
            writer=writer,
            clock=clock,
            broker=broker,
            classifier=BeatingClassifier(classifier, beat) if classifier else None,
            rules=rules,
        )
        for number in partitions
    }
    return Shard(
        runners=runners,
        open_source=lambda starts: BatchFetcher(settings.kafka, starts, committed_only=settings.kafka.transactions),
        decoder=BatchDecoder(registry, settings.stream.far_future_s),
        settings=settings.stream,
        clock=clock,
        until_end=until_end,
        beat=beat,
    )


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
        admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap.split(","), bootstrap_timeout_ms=10_000)
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
