"""What every platform connector offers, and the totals it turns into increments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, Protocol, TypeVar

from kolray.errors import InvalidInputError

Row = dict[str, Any]
"""A social event as columns; missing ones are null."""
Counts = dict[str, int | None]
Item = TypeVar("Item")

_CHINESE = {"万": 10_000, "亿": 100_000_000}
_LARGEST = 1 << 62
"""No count is as large; an answer that says so does not make us write out its digits."""
_OTHER_FORM = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, OSError)
"""What reading an answer of another form leads to; a time out of range is an ``OSError`` on some systems."""


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

    def __post_init__(self) -> None:
        _check_texts(self.account_id)


@dataclass(frozen=True)
class Post:
    """A post with its totals so far."""

    post_id: str
    account_id: str
    published_at: datetime
    text: str | None
    lang: str | None
    totals: Counts

    def __post_init__(self) -> None:
        _check_texts(self.post_id, self.account_id)
        _check_texts(*(text for text in (self.text, self.lang) if text is not None))


@dataclass(frozen=True)
class Comment:
    """A comment; ``author`` is the platform's id and leaves the connector only hashed."""

    comment_id: str
    post_id: str | None
    account_id: str
    author: str | None
    at: datetime
    text: str

    def __post_init__(self) -> None:
        _check_texts(self.comment_id, self.account_id, self.text)
        _check_texts(*(text for text in (self.post_id, self.author) if text is not None))


@dataclass(frozen=True)
class Broken:
    """An item of an answer that cannot be read: why, and the item as JSON."""

    reason: str
    item: str


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of a list; ``cursor`` asks for the next, also in another process; None after the last.

    ``broken``: items that cost no other, and become dead letters.
    """

    items: list[Item] = field(default_factory=list)
    cursor: str | None = None
    broken: list[Broken] = field(default_factory=list)


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


def read_items(listed: Sequence[Any], read: Callable[[Any], Item]) -> tuple[list[Item], list[Broken]]:
    """Reads an answer's items one by one; those that are of another form are told apart."""
    items, broken = [], []
    for one in listed:
        try:
            items.append(read(one))
        except (*_OTHER_FORM, InvalidInputError) as error:
            broken.append(Broken(f"unreadable: {type(error).__name__}: {str(error)[:100]}", json.dumps(one)))
    return items, broken


@contextmanager
def answer_of(platform: str) -> Iterator[None]:
    """Turns what an answer of another form leads to into one error.

    Raises:
        InvalidInputError: the answer is not as the platform's API has them.
    """
    try:
        yield
    except _OTHER_FORM as error:
        what = f"{type(error).__name__}: {str(error)[:100]}"
        raise InvalidInputError(f"{platform} answered in another form than its API has ({what})") from error


def _check_texts(*texts: str) -> None:
    """Half of a surrogate pair, as JSON may hold, is no text that could be sent."""
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{type(text).__name__} where a text is wanted")
        text.encode()


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


def flag_of(value: Any) -> bool | None:
    """Yes or no; None for what is neither."""
    return value if isinstance(value, bool) else None


def count_of(value: Any) -> int | None:
    """A count as platforms write it: 1200, "1200", "1,200", "1.2万"; None for what is none or cannot be.

    >>> count_of("1.2万"), count_of("1,200"), count_of(""), count_of(-1), count_of("1e999999")
    (12000, 1200, None, None, None)
    """
    text = str(value).replace(",", "").strip()
    unit = _CHINESE.get(text[-1:], 1)
    try:
        number = Decimal(text[:-1] if unit > 1 else text) * unit
        return int(number) if 0 <= number < _LARGEST else None
    except (InvalidOperation, ValueError, OverflowError):
        return None
