"""What every platform connector offers, and the totals it turns into increments."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, Protocol, TypeVar

Row = dict[str, Any]
"""A social event as columns; missing ones are null."""
Counts = dict[str, int | None]
Item = TypeVar("Item")

_CHINESE = {"万": 10_000, "亿": 100_000_000}


@dataclass(frozen=True)
class Profile:
    """An account as the platform shows it; hidden or absent numbers are None, never 0.

    ``followers_step``: followers are rounded down to a multiple of it; 1 where they are exact.
    """

    account_id: str
    followers: int | None
    following: int | None
    posts: int | None
    verified: bool | None
    created_at: datetime | None
    followers_step: int = 1


@dataclass(frozen=True)
class Post:
    """A post with its totals so far."""

    post_id: str
    account_id: str
    published_at: datetime
    text: str | None
    lang: str | None
    totals: Counts


@dataclass(frozen=True)
class Comment:
    """A comment; ``author`` is the platform's id and leaves the connector only hashed."""

    comment_id: str
    post_id: str | None
    account_id: str
    author: str | None
    at: datetime
    text: str


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of a list; ``cursor`` asks for the next, also in another process; None after the last."""

    items: list[Item] = field(default_factory=list)
    cursor: str | None = None


class Connector(Protocol):
    """One platform, whose name is ``platform``.

    What does not exist (any more) is left out of an answer. Methods raise ``InvalidInputError`` with the platform's own
    reason when it refuses, ``QuotaSpentError`` when nothing more may be asked, ``ServiceUnavailableError`` when it is
    away.
    """

    platform: str
    profiles_a_call: int
    """Accounts whose profiles one call shows."""
    comments_newest_first: bool
    """Over all posts: behind a page of known comments are none but known ones."""

    async def authenticate(self) -> None:
        """Gets ready to ask; says which credentials are missing."""

    async def fetch_profile(self, account_ids: Sequence[str]) -> list[Profile]: ...

    async def fetch_posts(self, account_id: str, cursor: str | None = None) -> Page[Post]:
        """Posts with their totals, newest first."""

    async def fetch_comments(
        self, account_id: str, post_ids: Sequence[str], cursor: str | None = None
    ) -> Page[Comment]:
        """Comments on these posts; a platform that lists them by account answers those of all its posts."""

    async def close(self) -> None: ...


def hashed(salt: str, author: str | None) -> str | None:
    """An author's id that cannot be traced back without the salt."""
    return None if author is None else hashlib.sha256(f"{salt}:{author}".encode()).hexdigest()[:24]


def increments(before: Counts, now: Counts) -> tuple[str, dict[str, int]]:
    """(``engagement`` or ``correction``, what each count grew by); a count that fell makes it a correction.

    A count that was never shown before has no increment: what it shows now is its baseline.
    """
    grown = {}
    for name, value in now.items():
        was = before.get(name)
        if value is not None and was is not None and value != was:
            grown[name] = value - was
    return ("correction" if any(n < 0 for n in grown.values()) else "engagement"), grown


def count_of(value: Any) -> int | None:
    """A count as platforms write it: 1200, "1200", "1,200", "1.2万"; None for what says no number or a negative one.

    >>> count_of("1.2万"), count_of("1,200"), count_of(""), count_of(-1)
    (12000, 1200, None, None)
    """
    text = str(value).replace(",", "").strip()
    unit = _CHINESE.get(text[-1:], 1)
    try:
        count = int(Decimal(text[:-1] if unit > 1 else text) * unit)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return count if count >= 0 else None
