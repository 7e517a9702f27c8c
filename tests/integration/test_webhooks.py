"""Webhooks with a real broker and a real receiver: signatures, tries, places that outlive a process, what is dead."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from prometheus_client import CollectorRegistry
from standardwebhooks.webhooks import Webhook

from kolray.clock import SystemClock
from kolray.connectors.producer import EventProducer
from kolray.errors import InvalidInputError, NotFoundError
from kolray.events import ALERTS_TOPIC
from kolray.exporter.topics import Tail
from kolray.exporter.webhooks import webhook_metrics
from kolray.schemas.registry import open_registry
from kolray.serving.webhooks.delivery import Deliverer, counted, deliverer, replay, replay_dead
from kolray.serving.webhooks.endpoints import Endpoints
from kolray.serving.webhooks.sending import NotDeliveredError, Sender
from kolray.settings import Settings
from kolray.stores.metrics import ALERT_SCHEMA, Version
from kolray.stores.open import open_metrics_store
from kolray.stream.denied import open_deny_list
from tests.receiver import Receiver

NOW = SystemClock().now().replace(microsecond=0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()


@pytest.fixture
def settings(embedded: Settings) -> Settings:
    serving = embedded.serving.model_copy(update={"webhooks_private": True, "webhook_tries": 3})
    return embedded.model_copy(update={"serving": serving})


def alerts(*names: str, kol_id: str = "a", rule: str = "spike") -> pl.DataFrame:
    rows = [
        (name, rule, kol_id, "1h", NOW, "high", '{"sigma": 5}', NOW + timedelta(seconds=i))
        for i, name in enumerate(names)
    ]
    return pl.DataFrame(rows, schema=ALERT_SCHEMA, orient="row")


def raised(settings: Settings, rows: pl.DataFrame) -> None:
    store = open_metrics_store(settings)
    store.upsert_alerts(rows, Version(1, 1))
    store.close()
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    producer.send_alerts(rows)
    producer.flush()


def stepped(made: Deliverer, alerts: int) -> None:
    done = 0
    while done < alerts:
        done += made.step()


@pytest.mark.embedded
def test_alerts_arrive_signed_tried_again_and_in_spite_of_restarts(settings: Settings, receiver: Receiver) -> None:
    open_deny_list(settings).add("gone")
    raised(settings, alerts("before it was added"))
    endpoints = Endpoints.of(settings)
    endpoint = endpoints.add("ops", receiver.url, ("spike",))
    quick = Sender(settings.serving, first_wait_s=0.01)
    first = deliverer(settings, endpoint, endpoints, quick)
    raised(settings, alerts("a1", "a2"))
    raised(settings, alerts("another rule", rule="sag"))
    raised(settings, alerts("erased", kol_id="gone"))
    receiver.answers = [500, 429]
    stepped(first, 2)
    assert receiver.ids() == ["a1", "a1", "a1", "a2"]
    for headers, body in receiver.got:
        told = Webhook(endpoint.secret).verify(body, headers)
        assert headers["webhook-id"] == told["data"]["alert_id"]
        assert (told["type"], told["data"]["evidence"]) == ("alert.raised", {"sigma": 5})
    first.close()

    receiver.got.clear()
    receiver.answers = [500, 500, 500, 410]
    raised(settings, alerts("b1", "b2", "b3"))
    second = deliverer(settings, endpoint, endpoints, quick)
    stepped(second, 3)
    assert receiver.ids() == ["b1", "b1", "b1", "b2", "b3"], "410 is final; nothing of before comes again"
    assert [(dead.alert_id, dead.reason) for dead in endpoints.dead("ops")] == [("b1", "HTTP 500"), ("b2", "HTTP 410")]

    store = open_metrics_store(settings)
    receiver.got.clear()
    assert list(replay_dead(second, endpoints, store)) == [True, True]
    assert receiver.ids() == ["b1", "b2"]
    assert endpoints.dead("ops") == []
    receiver.got.clear()
    assert all(replay(second, store, NOW))
    assert sorted(receiver.ids()) == ["a1", "a2", "b1", "b2", "b3", "before it was added"]
    second.close()


def exported(settings: Settings, tail: Tail) -> dict[str, float]:
    """Metric → value of the one endpoint there is."""
    families = webhook_metrics(settings, tail, SystemClock())
    return {sample.name: sample.value for family in families for sample in family.samples}


@pytest.mark.embedded
def test_alerts_that_wait_and_those_given_up_are_measured(settings: Settings, receiver: Receiver) -> None:
    endpoints = Endpoints.of(settings)
    endpoint, registry = endpoints.add("desk", receiver.url), CollectorRegistry()
    made = deliverer(settings, endpoint, endpoints, Sender(settings.serving, first_wait_s=0.01), counted(registry))
    raised(settings, alerts("a1", "a2", "a3"))
    desk = {"webhook": "desk"}
    with closing(Tail(settings.kafka, ALERTS_TOPIC)) as tail:
        assert exported(settings, tail)["kolray_webhook_waiting_alerts"] == 3
        receiver.answers = [204, 410]
        stepped(made, 3)
        made.close()
        found = exported(settings, tail)
    assert found == {
        "kolray_webhook_waiting_alerts": 0, "kolray_webhook_oldest_seconds": 0, "kolray_webhook_dead_alerts": 1
    }  # fmt: skip
    assert registry.get_sample_value("kolray_webhook_deliveries_total", desk | {"outcome": "taken"}) == 2
    assert registry.get_sample_value("kolray_webhook_deliveries_total", desk | {"outcome": "dead"}) == 1


def test_endpoints_are_kept_for_their_owner_and_never_say_their_secret(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    endpoints = Endpoints.of(settings)
    made = endpoints.add("ops", receiver.url)
    assert made.secret not in repr(made)
    assert stat.S_IMODE((tmp_path / "access" / "webhooks").stat().st_mode) == 0o700
    assert endpoints.all() == [made] == [endpoints.get("ops")]
    for name, url in (("ops", "https://x.example"), ("O p s", "https://x.example"), ("new", "ftp://x.example")):
        with pytest.raises(InvalidInputError):
            endpoints.add(name, url)
    for place in (receiver.url, "http://169.254.169.254/latest", "http://[::1]:9/"):
        with pytest.raises(NotDeliveredError, match="no public address: set KOLRAY_SERVING__WEBHOOKS_PRIVATE"):
            Sender(settings.serving).deliver(endpoints.add("n" + str(abs(hash(place))), place), "t", "1", {})
    assert receiver.got == []
    endpoints.remove("ops")
    with pytest.raises(NotFoundError):
        endpoints.get("ops")
