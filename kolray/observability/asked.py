"""What a request is about, for the log lines written while it is answered, in whatever thread that happens."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Asked:
    """One request. Threads that work for it see the same object: what one of them learns, the others know."""

    request_id: str
    kol_id: str | None = None


ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)
"""Set once a request; a task or thread that works for it inherits it."""


def about(kol_id: str) -> None:
    """The request that is being answered, if any is, asks for this KOL."""
    if (asked := ASKED.get()) is not None:
        asked.kol_id = kol_id
