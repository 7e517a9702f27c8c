"""Server-sent events without end: a stream that ends is opened again where it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress

import httpx
import stamina
from httpx_sse import EventSource, connect_sse

from kolray.client.asking import Asker, again

QUIET_S = 60.0
"""Seconds without even a comment after which a stream counts as dead; the API sends one every 15."""
AWAY_S = 300.0
"""Seconds an API may stay away before a reader is told."""


def follow(
    http: httpx.Client, asker: Asker, path: str, kol_ids: Sequence[str], since: str | None
) -> Iterator[tuple[str, str]]:
    """(id, data) of every event; see ``Client`` for what it raises."""
    place = since
    while True:
        with ExitStack() as opened, suppress(httpx.TransportError):  # one that breaks off is opened again
            for event in _open(opened, http, asker, path, kol_ids, place).iter_sse():
                if event.data:
                    place = event.id or place
                    yield event.id, event.data


def _open(
    opened: ExitStack, http: httpx.Client, asker: Asker, path: str, kol_ids: Sequence[str], place: str | None
) -> EventSource:
    header = {"Last-Event-ID": place} if place else {}
    timeout = httpx.Timeout(QUIET_S, connect=http.timeout.connect)
    asked = {"params": {"kol_id": list(kol_ids)}, "headers": header, "timeout": timeout}
    try:
        for attempt in stamina.retry_context(on=again, attempts=None, timeout=AWAY_S, wait_initial=0.5, wait_max=15):
            with attempt:
                source = opened.enter_context(connect_sse(http, "GET", path, **asked))
                if source.response.is_error:
                    source.response.read()
                source.response.raise_for_status()
    except httpx.HTTPError as error:
        raise asker.told(error) from error
    return source
