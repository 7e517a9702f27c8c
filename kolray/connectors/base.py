"""What every platform connector offers, and the totals it turns into increments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from kolray.errors import SettingsError

Row = dict[str, Any]
"""A social event as columns; missing ones are null."""


@dataclass(frozen=True)
class Profile:
    """An account as the platform shows it; hidden or absent numbers are None, never 0."""

    account_id: str
    followers: int | None
    following: int | None
    posts: int | None
    verified: bool | None
    created_at: datetime | None


@dataclass(frozen=True)
class Post:
    """A post with its totals so far."""

    post_id: str
    account_id: str
    published_at: datetime
    text: str | None
    lang: str | None
    totals: dict[str, int | None]


@dataclass(frozen=True)
class Comment:
    """A comment; ``author`` is the platform's id and leaves the connector only hashed."""

    comment_id: str
    post_id: str | None
    account_id: str
    author: str | None
    at: datetime
    text: str


class Connector(Protocol):
    """One platform. Methods raise ``InvalidInputError`` with the platform's own reason when it refuses."""

    async def authenticate(self) -> None: ...

    async def fetch_profile(self, account_ids: Sequence[str]) -> list[Profile]: ...

    async def fetch_posts(self, account_id: str) -> list[Post]: ...

    async def fetch_comments(self, account_id: str) -> list[Comment]: ...


@dataclass
class PollState:
    """What was seen at the last poll, and events that were made but perhaps not yet sent; one JSON file.

    Both are saved together before anything is produced: a crash repeats the same events with the same ids.
    """

    path: Path
    totals: dict[str, dict[str, Any]] = field(default_factory=dict)
    sequence: dict[str, int] = field(default_factory=dict)
    pending: list[Row] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> PollState:
        """What was saved, or nothing yet."""
        if not path.exists():
            return cls(path)
        try:
            return cls(path, **json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise SettingsError(f"{path} is damaged ({error}); remove it to poll from scratch") from error

    def save(self) -> None:
        """Atomic."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        body = {"totals": self.totals, "sequence": self.sequence, "pending": self.pending}
        temporary.write_text(json.dumps(body))
        temporary.rename(self.path)

    def next_id(self, what: str) -> str:
        """An event id that is new for each change and the same when the change is sent again."""
        self.sequence[what] = self.sequence.get(what, 0) + 1
        return f"{what}:{self.sequence[what]}"

    def changes(self, key: str, totals: dict[str, Any]) -> dict[str, Any] | None:
        """None if nothing changed since the last poll, else the totals before (empty at first sight)."""
        before = self.totals.get(key)
        if before == totals:
            return None
        self.totals[key] = totals
        return before or {}


def forget_polled(path: Path, names: Callable[[str], bool]) -> int:
    """Takes what names an account out of a poll's file; returns how many entries did.

    Args:
        names: whether a key or an id names it.
    """
    state = PollState.load(path)
    totals = {key: held for key, held in state.totals.items() if not names(key)}
    sequence = {key: n for key, n in state.sequence.items() if not names(key)}
    pending = [row for row in state.pending if not names(str(row["kol_id"]))]
    before = len(state.totals) + len(state.sequence) + len(state.pending)
    gone = before - len(totals) - len(sequence) - len(pending)
    if gone:
        PollState(path, totals, sequence, pending).save()
    return gone


def hashed(salt: str, author: str | None) -> str | None:
    """An author's id that cannot be traced back without the salt."""
    return None if author is None else hashlib.sha256(f"{salt}:{author}".encode()).hexdigest()[:24]


def increments(before: dict[str, Any], now: dict[str, Any]) -> tuple[str, dict[str, int]]:
    """(``engagement`` or ``correction``, what each count grew by); a count that fell makes it a correction.

    A count that was hidden at the last poll has no increment: what it shows now is its baseline.
    """
    known = [name for name in now if now[name] is not None and before.get(name) is not None]
    grown = {name: now[name] - before[name] for name in known}
    return ("correction" if any(n < 0 for n in grown.values()) else "engagement"), {k: v for k, v in grown.items() if v}
