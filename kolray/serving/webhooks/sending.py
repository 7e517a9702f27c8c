"""One alert to one endpoint: signed as Standard Webhooks says, tried again, and never to a private address unasked."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
from collections.abc import Iterable
from typing import Any

import httpcore
import stamina
from standardwebhooks.webhooks import Webhook

from kolray.clock import Clock, SystemClock
from kolray.errors import KolrayError
from kolray.serving.webhooks.endpoints import Endpoint
from kolray.settings import ServingSettings

log = logging.getLogger(__name__)
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
GONE = 410
BUSY = (429, 503)


class NotDeliveredError(KolrayError):
    """An endpoint did not take an alert: ``reason``; ``final``: asking again will not help."""

    def __init__(self, reason: str, final: bool = False, wait_s: float | None = None) -> None:
        super().__init__(reason, final, wait_s)
        self.reason, self.final, self.wait_s = reason, final, wait_s

    def __str__(self) -> str:
        return self.reason


class Guard(httpcore.NetworkBackend):
    """Connects to public addresses only, unless ``private``, and to the very address that it looked at."""

    def __init__(self, *, private: bool) -> None:
        self._private, self._sockets = private, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        address = str(found[0][4][0])
        if not self._private and not ipaddress.ip_address(address.partition("%")[0]).is_global:
            advice = "set KOLRAY_SERVING__WEBHOOKS_PRIVATE=true if that is meant"
            raise NotDeliveredError(f"{host} is {address}, no public address: {advice}", final=True)
        return self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)


class Sender:
    """Sends alerts; redirects are not followed.

    Args:
        first_wait_s: before the second try; later ones wait longer, with jitter.
    """

    def __init__(
        self, serving: ServingSettings, clock: Clock | None = None, first_wait_s: float = FIRST_WAIT_S
    ) -> None:
        self.tries, self._timeout_s = serving.webhook_tries, serving.webhook_timeout_s
        self._clock, self._first_wait_s = clock or SystemClock(), first_wait_s
        self._pool = httpcore.ConnectionPool(network_backend=Guard(private=serving.webhooks_private))

    def deliver(self, endpoint: Endpoint, kind: str, alert_id: str, data: dict[str, Any]) -> int:
        """Tries until the endpoint takes it; returns how often.

        Raises:
            NotDeliveredError: it did not, ``webhook_tries`` times.
        """
        done = 0
        for attempt in stamina.retry_context(
            on=_again,
            attempts=self.tries,
            timeout=None,
            wait_initial=self._first_wait_s,
            wait_max=LONGEST_WAIT_S,
            wait_jitter=self._first_wait_s,
        ):
            with attempt:
                done = attempt.num
                self.send(endpoint, kind, alert_id, data)
        return done

    def send(self, endpoint: Endpoint, kind: str, alert_id: str, data: dict[str, Any]) -> None:
        """Tries once.

        Raises:
            NotDeliveredError: no answer of 2xx.
        """
        now = self._clock.now()
        body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}, default=str)
        headers = {
            "content-type": "application/json",
            "user-agent": "kolray",
            "webhook-id": alert_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(endpoint.secret).sign(alert_id, now, body),
        }
        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)}
        try:
            with self._pool.stream(
                "POST", endpoint.url, headers=[*headers.items()], content=body.encode(), extensions=limits
            ) as answer:  # what it says beyond its head is not read
                status, told = answer.status, dict(answer.headers).get(b"retry-after", b"")
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            raise NotDeliveredError(f"no answer: {type(error).__name__} {error}") from error
        if not 200 <= status < 300:
            wait_s = float(told) if status in BUSY and told.isdigit() else None
            raise NotDeliveredError(f"HTTP {status}", final=status == GONE, wait_s=wait_s)


def _again(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds if the endpoint said so."""
    if not isinstance(error, NotDeliveredError) or error.final:
        return False
    return True if error.wait_s is None else min(error.wait_s, LONGEST_WAIT_S)
