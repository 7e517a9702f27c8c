"""How the two Kafka clients are told where the brokers are, and who we are there."""

from __future__ import annotations

from typing import Any

from kolray.errors import SettingsError
from kolray.settings import KafkaSettings


def for_kafka_python(kafka: KafkaSettings) -> dict[str, Any]:
    """Options of kafka-python's clients: the stream's reader, whose record batches it fetches, and its publishers.

    TLS and SASL are the library's: what replaces its parser of records (``stream.fetch``) sees decrypted bytes.
    """
    _check(kafka)
    given = {
        "ssl_cafile": kafka.ca_file,
        "ssl_certfile": kafka.cert_file,
        "ssl_keyfile": kafka.key_file,
        "sasl_mechanism": kafka.sasl_mechanism if _by_name(kafka) else None,
        "sasl_plain_username": kafka.username,
        "sasl_plain_password": _password(kafka),
    }
    options: dict[str, Any] = {name: str(value) for name, value in given.items() if value is not None}
    return options | {"bootstrap_servers": kafka.bootstrap.split(","), "security_protocol": kafka.security}


def for_librdkafka(kafka: KafkaSettings) -> dict[str, str]:
    """Options of confluent-kafka's clients: producers, the making of topics, readers of single records."""
    _check(kafka)
    given = {
        "ssl.ca.location": kafka.ca_file,
        "ssl.certificate.location": kafka.cert_file,
        "ssl.key.location": kafka.key_file,
        "sasl.mechanism": kafka.sasl_mechanism if _by_name(kafka) else None,
        "sasl.username": kafka.username,
        "sasl.password": _password(kafka),
    }
    options = {name: str(value) for name, value in given.items() if value is not None}
    return options | {"bootstrap.servers": kafka.bootstrap, "security.protocol": kafka.security}


def _by_name(kafka: KafkaSettings) -> bool:
    return kafka.security.startswith("SASL")


def _password(kafka: KafkaSettings) -> str | None:
    return kafka.password.get_secret_value() if kafka.password else None


def _check(kafka: KafkaSettings) -> None:
    """Half an identity would be refused by the broker in words that do not name the setting."""
    if _by_name(kafka) and not (kafka.username and kafka.password):
        raise SettingsError(
            f"KOLRAY_KAFKA__SECURITY is {kafka.security}: set KOLRAY_KAFKA__USERNAME and KOLRAY_KAFKA__PASSWORD "
            "(or KOLRAY_KAFKA__PASSWORD_FILE)"
        )
    if not _by_name(kafka) and (kafka.username or kafka.password):
        raise SettingsError(
            f"KOLRAY_KAFKA__SECURITY is {kafka.security}, which sends no password: use SASL_SSL, or remove the user"
        )
