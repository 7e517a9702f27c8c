"""The stream on servers that demand TLS and a password, and what is said to who has neither."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from kolray.connectors.generator import WorldConfig, build_world
from kolray.errors import KolrayError, ServiceUnavailableError
from kolray.lake.world import send_world
from kolray.settings import KafkaSettings, Settings, load_settings
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.build import Models, build_shard
from kolray.stream.fetch import BatchFetcher
from kolray.stream.topics import ensure_topics
from tests.heavy.secured import Certificates, secured

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    for command in ("java", "mvn"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed, and Kafka and Cassandra need it")
    home = tmp_path_factory.mktemp("secured")
    with secured(home, Certificates.make(home)) as reached:
        yield load_settings(home=home, profile="cluster", **reached)


def _ready(act: Callable[[], Any], limit_s: float = 60) -> Any:
    """Cassandra makes its first user a moment after it answers."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return act()
        except ServiceUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def test_a_world_streams_through_tls_and_passwords(settings: Settings) -> None:
    ensure_topics(settings.kafka)
    store = open_metrics_store(settings)
    _ready(store.migrate)
    sent = send_world(settings, build_world(WorldConfig(n_kols=50, hours=6, seed=3, end=datetime.now(UTC))))
    shard = build_shard(settings, list(range(settings.kafka.partitions)), Models(), until_end=True)
    shard.restore()
    while not shard.finished:
        shard.step()
    parts = shard.status()["partitions"].values()
    shard.close()
    assert sum(part["events"] + part["rejected"] for part in parts) == sent
    assert sum(rows.height for rows in store.scan_windows()) > 0
    live = open_feature_store(settings.redis)
    assert live.get_live("kol_000001")
    store.close()
    live.close()


WRONG = {
    "password": {"password": "wrong"},
    "no authority": {"ca_file": None},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_kafka_that_refuses_is_named(settings: Settings, changes: dict[str, Any]) -> None:
    kafka = KafkaSettings.model_validate(settings.kafka.model_dump() | changes)
    with pytest.raises(ServiceUnavailableError, match="Kafka"):
        BatchFetcher(kafka, {("events.social.raw", 0): 0})


def test_stores_that_refuse_are_named(settings: Settings) -> None:
    plain = settings.redis.model_copy(update={"ca_file": None})
    with pytest.raises(ServiceUnavailableError, match="Redis"):
        open_feature_store(plain).ping()
    wrong = settings.metrics.model_copy(update={"tls": False})
    with pytest.raises(KolrayError, match="Cassandra"):
        open_metrics_store(settings.model_copy(update={"metrics": wrong})).migrate()


def test_no_secret_is_in_what_is_shown(settings: Settings) -> None:
    shown = repr(settings)
    assert settings.kafka.password
    assert settings.redis.password
    assert settings.kafka.password.get_secret_value() not in shown
    assert settings.redis.password.get_secret_value() not in shown
