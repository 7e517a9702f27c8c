"""Live metrics and alerts as server-sent events.

Each stream asks Redis once a second and only after what it found was sent: a slow reader makes no queue grow, it sees
fewer states of a window and every alert. Streams end after ``LIFE_S``, which is shorter than a draining replica lives:
who comes back with ``Last-Event-ID`` goes on where it was, perhaps at another replica, its token checked anew.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, TypeVar

import polars as pl
from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from kolray.clock import from_ms, to_ms
from kolray.errors import ServiceUnavailableError
from kolray.features.window_metrics import ratio_exprs
from kolray.serving.access import needs
from kolray.serving.contracts import Alert, LiveWindow
from kolray.serving.problems import ERRORS, Problem
from kolray.serving.progress import stream_now
from kolray.serving.scoring import ScoringGraph
from kolray.stores.metrics import WINDOW_SCHEMA

POLL_S = 1.0
LIFE_S = 15.0
RETRY_MS = 1000
STREAMS = 200
"""Streams of one replica; beyond, 503 with ``Retry-After``."""
KOLS = 50
ALERTS = 100
MISSED = timedelta(hours=24)
"""How far back a reader that comes again is told of closed windows."""
PLACE = r"^\d{1,16}-\d{1,16}$"
Found = TypeVar("Found")


class Streams:
    """How many are open in this replica."""

    def __init__(self) -> None:
        self.open = 0


def add_live(app: FastAPI) -> None:
    """``/live/metrics``, ``/live/alerts`` and ``/live/stream``: for a token that reads, and who is signed in."""
    app.state.streams = Streams()
    allowed = [needs("read", session=True), Depends(_known), Depends(_admitted)]

    @app.get("/live/metrics", dependencies=allowed, responses=ERRORS, tags=["live"], response_class=EventSourceResponse)
    async def live_metrics(
        kol_id: Annotated[list[str], Query(min_length=1, max_length=KOLS)],
        last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,16}$")] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        """The newest window of each kind of up to 50 KOLs whenever it changes: events ``window`` (``LiveWindow``).

        Who comes again with ``Last-Event-ID`` gets the five-minute windows that closed meanwhile first.
        """
        async for event in window_events(app.state.services.graph, kol_id, last_event_id):
            yield event

    @app.get("/live/alerts", dependencies=allowed, responses=ERRORS, tags=["live"], response_class=EventSourceResponse)
    async def live_alerts(
        kol_id: Annotated[list[str] | None, Query(max_length=KOLS)] = None,
        last_event_id: Annotated[str | None, Header(pattern=PLACE)] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        """Alerts from now on, or from ``Last-Event-ID`` on: events ``alert`` (``Alert``), each at least once."""
        async for event in alert_events(app.state.services.graph, kol_id, last_event_id):
            yield event

    @app.get("/live/stream", dependencies=allowed, responses=ERRORS, tags=["live"], response_class=EventSourceResponse)
    async def live_stream() -> AsyncIterator[ServerSentEvent]:
        """Throughput, lag and checkpoints of the stream, each second that it tells them: events ``progress``
        (``StreamProgress``)."""
        async for event in progress_events(app.state.services.graph):
            yield event


def _known(request: Request, kol_id: Annotated[list[str] | None, Query()] = None) -> None:
    for each in kol_id or []:
        request.app.state.services.graph.refuse_erased(each)


async def _admitted(request: Request) -> AsyncIterator[None]:
    streams: Streams = request.app.state.streams
    if streams.open >= STREAMS:
        detail = f"this replica has {streams.open} streams open; try again in a moment"
        raise Problem(503, "Too many streams", detail, {"Retry-After": "2"})
    streams.open += 1
    try:
        yield
    finally:
        streams.open -= 1


async def alert_events(
    graph: ScoringGraph, kol_ids: list[str] | None, since: str | None
) -> AsyncIterator[ServerSentEvent]:
    """Events of a stream's life."""
    yield ServerSentEvent(comment="alerts", retry=RETRY_MS)
    ends, place = time.monotonic() + LIFE_S, since
    while True:
        place = place or await _asked(graph.lookup.newest_alert)
        found = await _asked(partial(graph.lookup.alerts_after, place, ALERTS)) if place else None
        for at, text in found or []:
            place, alert = at, json.loads(text)
            if (kol_ids is None or alert["kol_id"] in kol_ids) and not graph.erased(alert["kol_id"]):
                told = Alert(**alert | {"evidence": json.loads(alert["evidence"])})
                yield ServerSentEvent(event="alert", id=at, data=told)
        if time.monotonic() >= ends:
            return
        if found is None or len(found) < ALERTS:
            await asyncio.sleep(POLL_S)


async def progress_events(graph: ScoringGraph) -> AsyncIterator[ServerSentEvent]:
    """Events of a stream's life."""
    yield ServerSentEvent(comment="stream", retry=RETRY_MS)
    ends, told = time.monotonic() + LIFE_S, None
    while True:
        now = await _asked(partial(stream_now, graph.lookup, graph.clock))
        if now is not None and now.progress != told:
            told = now.progress
            yield ServerSentEvent(event="progress", data=told)
        if time.monotonic() >= ends:
            return
        await asyncio.sleep(POLL_S)


async def window_events(graph: ScoringGraph, kol_ids: list[str], since: str | None) -> AsyncIterator[ServerSentEvent]:
    """Events of a stream's life; their ids are the time (ms) until which closed windows are told of."""
    yield ServerSentEvent(comment="metrics", retry=RETRY_MS)
    ends, place = time.monotonic() + LIFE_S, to_ms(graph.clock.now())
    if since is not None:
        for row in await _asked(partial(missed_windows, graph, kol_ids, from_ms(int(since)))) or []:
            yield _window_event(row, place)
    told: dict[tuple[str, str], Mapping[str, Any]] = {}
    while True:
        place = to_ms(graph.clock.now())
        for kol_id, rows in (await _asked(partial(graph.lookup.get_lives, kol_ids)) or {}).items():
            for row in rows:
                if told.get((kol_id, row["window"])) != row:
                    told[kol_id, row["window"]] = row
                    yield _window_event({"kol_id": kol_id, **row}, place)
        if time.monotonic() >= ends:
            return
        await asyncio.sleep(POLL_S)


def missed_windows(graph: ScoringGraph, kol_ids: list[str], since: datetime) -> list[Mapping[str, Any]]:
    """Five-minute windows that closed since a time, oldest first."""
    now = graph.clock.now()
    first = max(since, now - MISSED) - timedelta(minutes=5)
    rows = [graph.store.windows(kol_id, "5m", first, now).filter("final") for kol_id in kol_ids]
    return list(pl.concat(rows).sort("window_start").to_dicts())


def _window_event(row: Mapping[str, Any], place: int) -> ServerSentEvent:
    counts = pl.DataFrame([row], schema=WINDOW_SCHEMA).with_columns(ratio_exprs()).row(0, named=True)
    return ServerSentEvent(event="window", id=str(place), data=LiveWindow(**counts))


async def _asked(ask: Callable[[], Found]) -> Found | None:
    """What a store answers; None while it is away: the stream stays open and says nothing."""
    try:
        return await run_in_threadpool(ask)
    except ServiceUnavailableError:
        return None
