"""What the clients of Kafka, Redis and Cassandra are told of TLS and of who we are."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from kolray.errors import SettingsError
from kolray.settings import KafkaSettings, MetricsStoreSettings, RedisSettings
from kolray.stores import cassandra_access, redis_connection
from kolray.stores.kafka_access import for_kafka_python, for_librdkafka

SECURE: dict[str, Any] = {"bootstrap": "a:1,b:2", "security": "SASL_SSL", "username": "me", "password": "s"}


def test_both_kafka_clients_are_told_the_same() -> None:
    kafka = KafkaSettings(**SECURE, ca_file="ca.pem")
    assert for_kafka_python(kafka) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "s",
        "ssl_cafile": "ca.pem",
    }
    assert for_librdkafka(kafka) == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "s",
        "ssl.ca.location": "ca.pem",
    }


def test_a_broker_without_tls_is_told_no_more_than_where() -> None:
    assert set(for_kafka_python(KafkaSettings())) == {"bootstrap_servers", "security_protocol"}
    assert set(for_librdkafka(KafkaSettings())) == {"bootstrap.servers", "security.protocol"}


@pytest.mark.parametrize("changes", [{"password": None}, {"username": None}, {"security": "SSL"}])
def test_half_an_identity_is_named_before_the_broker_refuses_it(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="KOLRAY_KAFKA__SECURITY"):
        for_librdkafka(KafkaSettings(**(SECURE | changes)))


def test_redis_is_told_of_an_authority_only_where_it_speaks_tls() -> None:
    given: dict[str, Any] = {"ca_file": "ca.pem", "password": SecretStr("s")}
    assert redis_connection.identity(RedisSettings(url="redis://a/0", **given)) == {"password": "s"}
    told = redis_connection.identity(RedisSettings(url="rediss://a/0", **given))
    assert told == {"password": "s", "ssl_ca_certs": "ca.pem"}


def test_cassandra_checks_names_and_wants_both_halves_of_an_identity() -> None:
    assert cassandra_access.identity(MetricsStoreSettings()) == {}
    assert cassandra_access.identity(MetricsStoreSettings(tls=True))["ssl_context"].check_hostname
    with pytest.raises(SettingsError, match="both"):
        cassandra_access.identity(MetricsStoreSettings(username="me"))
