"""The way to Redis: who waits how long for it, and who leaves it alone for a moment after it failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from circuitbreaker import CircuitBreaker, CircuitBreakerMonitor
from redis.backoff import NoBackoff
from redis.retry import Retry

from kolray.errors import ServiceUnavailableError
from kolray.settings import RedisSettings

log = logging.getLogger(__name__)
PATIENT_S = 5.0
"""Seconds a caller waits whom nobody waits for."""
FAILURES = (redis.ConnectionError, redis.TimeoutError)
FAILED = 3
"""Failures in a row after which a hurried caller leaves Redis alone."""
ALONE_S = 2
"""Seconds until it asks again."""


def identity(settings: RedisSettings) -> dict[str, Any]:
    """What a client from the settings' URL is told besides: who we are, and for ``rediss://`` whom we believe."""
    given: dict[str, Any] = {"username": settings.username}
    if settings.password:
        given["password"] = settings.password.get_secret_value()
    if settings.url.startswith("rediss:"):
        given |= {"ssl_ca_certs": settings.ca_file, "ssl_certfile": settings.cert_file}
        given["ssl_keyfile"] = settings.key_file
    return {name: value for name, value in given.items() if value is not None}


class RedisConnection:
    """A pool of connections.

    Args:
        hurry_s: seconds an answer may take. A request that others wait for names it: then nothing is tried twice but a
            connection that was closed, and after ``FAILED`` failures Redis counts as away for ``ALONE_S``. None: five
            seconds, tried again as Redis' client sees fit, which is what a writer needs.
    """

    def __init__(self, settings: RedisSettings, hurry_s: float | None = None) -> None:
        self._address = settings.url.rsplit("@", 1)[-1]  # never the password
        self.within_s = PATIENT_S if hurry_s is None else hurry_s
        self._breaker: CircuitBreaker | None = None
        patience: dict[str, Any] = {"socket_timeout": PATIENT_S, "socket_connect_timeout": 2}
        if hurry_s is not None:
            self._breaker = CircuitBreaker(FAILED, ALONE_S, FAILURES, name="redis")
            CircuitBreakerMonitor.register(self._breaker)
            once = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
            patience = {"socket_timeout": hurry_s, "socket_connect_timeout": hurry_s, "retry": once}
        self.client: Any = redis.Redis.from_url(settings.url, decode_responses=False, **patience, **identity(settings))

    @property
    def resting(self) -> bool:
        """It failed and is left alone for a moment."""
        return self._breaker is not None and self._breaker.opened

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around every command.

        Raises:
            ServiceUnavailableError: Redis does not answer, or did not a moment ago.
        """
        if self.resting:
            raise self._away()
        try:
            if self._breaker is None:
                yield
            else:
                with self._breaker:
                    yield
        except FAILURES as error:
            log.warning("Redis at %s: %s", self._address, error)
            raise self._away() from error

    def _away(self) -> ServiceUnavailableError:
        return ServiceUnavailableError("Redis", self._address, "start it with `kolray up`")
