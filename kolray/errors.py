"""Every error kolray raises on purpose.

KolrayError
├── SettingsError            a setting is missing, malformed or contradicts another
├── ServiceUnavailableError  a server (Kafka, Cassandra, Redis, MLflow …) does not answer
├── InvalidInputError        data from outside breaks its contract
│   └── SchemaError          an Avro schema is unknown or incompatible
├── CheckpointError          a snapshot cannot be used (other windows, other broker, other format)
├── FencedError              a newer owner of the partition exists; this one must stop
├── QuotaSpentError          a platform may not be asked any more until its quota begins anew
├── ConflictError            other writers kept changing a table while this one tried
├── NotFoundError            the KOL, campaign, model or table asked for does not exist
└── PromotionRefusedError    a challenger did not beat the champion

A message says what happened, why, and what to do. All of them survive ``pickle``, as Ray sends them between processes.
"""

from __future__ import annotations

from kolray.redaction import redacted


class KolrayError(Exception):
    """Root of the tree: catch this to catch all of kolray's own errors.

    None holds a password or token, wherever it is printed: addresses of settings, which messages name, may have one.
    """

    def __init__(self, *said: object) -> None:
        super().__init__(*(redacted(part) if isinstance(part, str) else part for part in said))


class SettingsError(KolrayError):
    """A setting is missing, malformed or contradicts another."""


class ServiceUnavailableError(KolrayError):
    """A server does not answer: ``service`` at ``address``; ``advice`` says how to start it."""

    def __init__(self, service: str, address: str, advice: str) -> None:
        super().__init__(service, address, advice)
        self.service, self.address, self.advice = self.args

    def __str__(self) -> str:
        return f"{self.service} does not answer at {self.address}: {self.advice}"


class InvalidInputError(KolrayError):
    """Data from outside breaks its contract."""


class SchemaError(InvalidInputError):
    """An Avro schema is unknown or incompatible."""


class CheckpointError(KolrayError):
    """A snapshot exists but cannot be used; the message says which setting or broker changed."""


class FencedError(KolrayError):
    """A newer owner of this partition exists; this one has stopped without writing."""


class QuotaSpentError(KolrayError):
    """Nothing more may be asked of a platform until its quota begins anew; a poll then goes on where it stopped."""


class ConflictError(KolrayError):
    """Other writers kept changing a table while this one tried; trying again later helps."""


class NotFoundError(KolrayError):
    """What was asked for does not exist."""


class PromotionRefusedError(KolrayError):
    """The challenger did not beat the champion on the untouched fold."""
