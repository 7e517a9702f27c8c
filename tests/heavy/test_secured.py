"""Stream, lake and API on servers that demand TLS and a password, and what is said to who has neither."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kolray.connectors.generator import WorldConfig, build_world
from kolray.errors import KolrayError, ServiceUnavailableError
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.world import send_world
from kolray.serving.build import build
from kolray.serving.tokens import Tokens
from kolray.serving.webhooks.delivery import deliverer
from kolray.serving.webhooks.endpoints import Endpoints
from kolray.serving.webhooks.sending import Sender
from kolray.settings import KafkaSettings, Settings, load_settings
from kolray.stores.metrics import MetricsStore
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stream.build import Models, build_shard
from kolray.stream.fetch import BatchFetcher
from kolray.stream.topics import ensure_topics
from tests.heavy.secured import Certificates, secured
from tests.integration.test_webhooks import alerts, raised, stepped
from tests.ray_head import own_ray
from tests.receiver import Receiver
from tests.waiting import until

pytestmark = pytest.mark.heavy
KOL, LIMIT = "kol_000001", 1000


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    for command in ("java", "mvn"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed, and Kafka and Cassandra need it")
    home = tmp_path_factory.mktemp("secured")
    with secured(home, Certificates.make(home)) as reached:
        yield load_settings(home=home, profile="cluster", **reached)


@pytest.fixture(scope="module")
def sent(settings: Settings) -> int:
    """Events of a world in the topics, whose tables are there."""
    ensure_topics(settings.kafka)
    store = open_metrics_store(settings)
    until("Cassandra has its first user", lambda: _migrated(store))
    store.close()
    return send_world(settings, build_world(WorldConfig(n_kols=50, hours=6, seed=3, end=datetime.now(UTC))))


def _migrated(store: MetricsStore) -> bool:
    """It makes its first user a moment after it answers."""
    try:
        store.migrate()
    except ServiceUnavailableError:
        return False
    return True


@pytest.fixture(scope="module")
def parts(settings: Settings, sent: int) -> list[dict[str, Any]]:
    """What a shard says of each partition after it read all of them into the stores."""
    shard = build_shard(settings, list(range(settings.kafka.partitions)), Models(), until_end=True)
    shard.restore()
    while not shard.finished:
        shard.step()
    told = list(shard.status()["partitions"].values())
    shard.close()
    return told


def test_a_world_streams_through_tls_and_passwords(settings: Settings, sent: int, parts: list[dict[str, Any]]) -> None:
    assert sum(part["events"] + part["rejected"] for part in parts) == sent
    store, live = open_metrics_store(settings), open_feature_store(settings.redis)
    assert sum(rows.height for rows in store.scan_windows()) > 0
    assert live.get_live(KOL)
    store.close()
    live.close()


def test_bronze_holds_what_was_sent(settings: Settings, sent: int, parts: list[dict[str, Any]]) -> None:
    with own_ray():
        added = run_bronze(settings)
    assert added["bronze.dead_letters"] == sum(part["rejected"] for part in parts)
    assert sum(added[f"bronze.{name}"] for name in ("social", "web", "dead_letters")) == sent


def test_the_api_answers_from_secured_stores(settings: Settings, parts: list[dict[str, Any]]) -> None:
    assert parts
    # Longer than a replica waits: this machine may be busy.
    patient = settings.serving.model_copy(update={"redis_timeout_s": 10.0, "store_timeout_s": 10.0})
    told = Tokens.of(settings).create("test", ("read",), LIMIT)
    app = build(settings.model_copy(update={"serving": patient}))
    with TestClient(app) as api:
        ready = api.get("/readyz").json()
        windows = api.get(f"/kol/{KOL}/metrics?window=5m", headers={"Authorization": f"Bearer {told}"})
    app.state.services.graph.store.close()
    assert (ready["redis"], ready["metrics_store"]) == ("ok", "ok")
    assert windows.status_code == 200, windows.text
    assert windows.json()["windows"], "of Cassandra"
    assert windows.headers["RateLimit-Limit"] == str(LIMIT), "what Redis counts; without it a quarter is granted"


def test_webhooks_are_delivered_from_secured_kafka(settings: Settings, sent: int) -> None:
    assert sent
    private = settings.model_copy(update={"serving": settings.serving.model_copy(update={"webhooks_private": True})})
    endpoints, receiver = Endpoints.of(private), Receiver()
    made = deliverer(private, endpoints.add("ops", receiver.url, ()), endpoints, Sender(private.serving))
    raised(private, alerts("a1", "a2"))
    stepped(made, 2)
    made.close()
    receiver.server.shutdown()
    assert receiver.ids() == ["a1", "a2"]


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
