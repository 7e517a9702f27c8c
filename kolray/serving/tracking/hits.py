"""What a page says about a visit, as a web event; or why it cannot be one."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from kolray.events import MAX_ID_BYTES, WEB_TYPES

MAX_URL = 2_048
MAX_AGE_MS = 86_400_000
"""How long a page may have kept an event before it could send it."""
UTM = {"campaign_id": "utm_campaign", "kol_id": "utm_content"}
"""Field → parameter of the page's address that stands for it where the hit does not say it."""
NO = ("0", "false", "no", "denied")

Hit = dict[str, Any]
"""The fields of a web event, ``event_time`` an aware datetime."""


class RefusedError(Exception):
    """A hit that is no event; the text says why."""


@dataclass(frozen=True)
class Caller:
    """Who sends: address, ``User-Agent``, ``Referer``, and whether the browser asks not to be tracked."""

    address: str
    agent: str
    referer: str
    do_not_track: bool


def read_hit(said: Mapping[str, Any], caller: Caller, now: datetime, visitor: str) -> Hit:
    """The event of one hit.

    Args:
        said: ``kol_id, campaign_id`` (or the page's UTM parameters), ``event_type`` (impression), ``event_id``,
            ``url`` (the ``Referer``), ``value``, ``currency``, ``consent``, ``age_ms``.
        visitor: who that is, where there is consent.

    Raises:
        RefusedError: a field is missing or cannot be.
    """
    url = _text(said, "url", MAX_URL) or caller.referer[:MAX_URL]
    utm = parse_qs(_parts(url).query)
    ids = {
        name: _text(said, name, MAX_ID_BYTES) or _fits(name, utm.get(UTM[name], [""])[0], MAX_ID_BYTES) for name in UTM
    }
    for name, found in ids.items():
        if not found:
            raise RefusedError(f"missing: {name} (or {UTM[name]} in the page's address)")
    kind = _text(said, "event_type", 16) or "impression"
    if kind not in WEB_TYPES:
        raise RefusedError(f"unknown: event_type; use {', '.join(WEB_TYPES)}")
    agreed = consents(said, caller)
    return {
        **ids,
        "event_id": _text(said, "event_id", MAX_ID_BYTES) or uuid.uuid4().hex,
        "event_type": kind,
        "event_time": now - timedelta(milliseconds=_number(said, "age_ms", MAX_AGE_MS) or 0),
        "value": _number(said, "value", math.inf),
        "currency": _text(said, "currency", 8) or None,
        "visitor": visitor if agreed else "",
        "consent": agreed,
        "url": bare(url) if agreed else "",
    }


def consents(said: Mapping[str, Any], caller: Caller) -> bool:
    """Whether the visitor agreed: the page says so, and the browser does not say otherwise."""
    told = said.get("consent", False)
    agreed = told is True or (isinstance(told, str | int) and str(told).lower() not in ("", *NO))
    return agreed and not caller.do_not_track


def bare(url: str) -> str:
    """An address without what may name a person: no query, no fragment, no user."""
    parts = _parts(url)
    return urlunsplit((parts.scheme, parts.hostname or "", parts.path, "", ""))


def _parts(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.hostname
    except ValueError as error:
        raise RefusedError("unreadable: url") from error
    return parts


def _text(said: Mapping[str, Any], name: str, limit: int) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise RefusedError(f"unreadable: {name}")
    return _fits(name, str(value).strip(), limit)


def _fits(name: str, text: str, limit: int) -> str:
    if "\x00" in text or len(text.encode(errors="replace")) > limit:
        raise RefusedError(f"too long or not text: {name}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair, as JSON may hold
            raise RefusedError(f"unreadable: {name}") from error
    return text


def _number(said: Mapping[str, Any], name: str, limit: float) -> float | None:
    value = said.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RefusedError(f"unreadable: {name}")
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise RefusedError(f"unreadable: {name}") from error
    if not math.isfinite(number) or not 0 <= number <= limit:
        raise RefusedError(f"out of range: {name}")
    return number
