"""The open endpoints of tracked pages: ``/pixel.gif``, ``/collect``, ``/k.js`` and ``/l/{id}``."""

from __future__ import annotations

import asyncio
import base64
import json
from importlib import resources
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kolray.errors import ServiceUnavailableError
from kolray.serving.problems import Problem
from kolray.serving.tracking.hits import Caller
from kolray.serving.tracking.links import Links
from kolray.serving.tracking.tracker import Taken, Tracker

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
MAX_BATCH = 100
MAX_BYTES = 256 << 10
ACK_S = 20.0
BODY_S = 10.0
"""Seconds a body may take to come."""
ANYONE = {
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def tracking_routes(tracker: Tracker, links: Links, trusted_proxies: int) -> list[Route]:
    """Routes for a Starlette application.

    Args:
        trusted_proxies: how many proxies stand before this server: so many addresses at the end of ``X-Forwarded-For``
            are believed.
    """

    def caller(request: Request) -> Caller:
        told = request.headers
        quiet = told.get("dnt") == "1" or told.get("sec-gpc") == "1"
        return Caller(_address(request, trusted_proxies), told.get("user-agent", ""), told.get("referer", ""), quiet)

    async def pixel(request: Request) -> Response:
        said = dict(request.query_params)
        taken = _take(tracker, [said], caller(request))
        await _acknowledged(taken, said.get("ack"))
        headers = ANYONE | ({"X-Refused": taken.refused[0][:200]} if taken.refused else {})
        return Response(GIF, media_type="image/gif", headers=headers)

    async def collect(request: Request) -> Response:
        said = _hits(await _body(request))
        taken = _take(tracker, said, caller(request))
        await _acknowledged(taken, request.query_params.get("ack"))
        if taken.refused and not taken.accepted + taken.filtered:
            raise Problem(422, "No hit could be read", "; ".join(dict.fromkeys(taken.refused.values())), ANYONE)
        refused = [{"hit": place, "reason": reason} for place, reason in taken.refused.items()]
        told = {"accepted": taken.accepted, "filtered": taken.filtered, "refused": refused}
        return JSONResponse(told, 202, headers=ANYONE)

    async def preflight(request: Request) -> Response:
        del request
        allowed = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Content-Type"}
        return Response(status_code=204, headers=ANYONE | allowed | {"Access-Control-Max-Age": "86400"})

    async def link(request: Request) -> Response:
        found = links.read(request.path_params["id"])
        said = dict(request.query_params) | found._asdict() | {"event_type": "click", "url": found.target}
        _take(tracker, [said], caller(request))
        return RedirectResponse(found.target, 302, headers={"Cache-Control": "no-store", "Referrer-Policy": "origin"})

    async def script(request: Request) -> Response:
        del request
        return Response(SCRIPT, media_type="text/javascript", headers=ANYONE | {"Cache-Control": "max-age=3600"})

    return [
        Route("/pixel.gif", pixel),
        Route("/collect", collect, methods=["POST"]),
        Route("/collect", preflight, methods=["OPTIONS"]),
        Route("/l/{id}", link),
        Route("/k.js", script),
    ]


SCRIPT = resources.files("kolray.serving.tracking").joinpath("k.js").read_text()


def _take(tracker: Tracker, said: list[Any], who: Caller) -> Taken:
    try:
        return tracker.take(said, who)
    except ServiceUnavailableError as error:
        raise Problem(503, "No room for hits", str(error), ANYONE | {"Retry-After": "5"}) from error


async def _acknowledged(taken: Taken, asked: str | None) -> None:
    """Where ``ack=1``: waits until Kafka has the hits."""
    if asked != "1" or taken.sent is None:
        return
    try:
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(taken.sent)), ACK_S)
    except TimeoutError as error:
        detail = f"Kafka did not acknowledge within {ACK_S:g} s; the hits are kept and will be sent"
        raise Problem(503, "Not acknowledged yet", detail, ANYONE | {"Retry-After": "5"}) from error


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BYTES:
                    raise Problem(413, "Too much at once", f"at most {MAX_BYTES >> 10} KiB a request", ANYONE)
                parts.append(part)
    except TimeoutError as error:
        raise Problem(408, "Took too long", f"the body was not there within {BODY_S:g} s", ANYONE) from error
    except ClientDisconnect as error:
        raise Problem(400, "Not whole", "the connection ended within the body", ANYONE) from error
    return b"".join(parts)


def _hits(body: bytes) -> list[Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "Not JSON", "send a hit as an object, or a list of them", ANYONE) from error
    hits = said if isinstance(said, list) else [said]
    if not 0 < len(hits) <= MAX_BATCH:
        raise Problem(413, "Too many or no hits", f"1 to {MAX_BATCH} hits a request", ANYONE)
    return hits


def _address(request: Request, trusted_proxies: int) -> str:
    told = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    if trusted_proxies and told:
        return told[max(0, len(told) - trusted_proxies)]
    return request.client.host if request.client else ""
