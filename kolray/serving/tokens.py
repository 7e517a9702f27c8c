"""API tokens: 256 random bits shown once; what is kept is their SHA-256, what they may do, and until when."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from kolray.clock import Clock, SystemClock, from_ms, to_ms
from kolray.errors import InvalidInputError, NotFoundError, ServiceUnavailableError
from kolray.settings import Settings
from kolray.stream.objects import Objects, open_objects

log = logging.getLogger(__name__)
PREFIX = "kolray_"
SCOPES = ("read", "score", "admin")
FOLDER = "tokens"
LOOK_S = 1.0
"""Seconds between looks for tokens that came or went: a replica knows of a revocation that much later at most."""
ENDS = "-until-"


@dataclass(frozen=True)
class Token:
    """A token as it is kept: ``digest`` proves it, nothing reveals it."""

    name: str
    digest: str
    scopes: tuple[str, ...]
    rate_per_minute: int
    created_at: str
    ends_at: datetime | None = None

    def may(self, scope: str) -> bool:
        """Whether it has a scope; ``admin`` has every one."""
        return scope in self.scopes or "admin" in self.scopes


class Tokens:
    """Tokens as objects in a folder or a bucket that all replicas see.

    Each is an object ``tokens/DIGEST``, or ``tokens/DIGEST-until-MS`` if it ends at a time (ms since the epoch), and is
    never changed, so that one listing says what holds. A store that is away leaves the tokens as they were.

    Args:
        near: listing costs next to nothing, so an unknown text is looked for at once: who was given a token just now
            may use it. In a bucket it is known after ``LOOK_S``.
    """

    def __init__(self, objects: Objects, clock: Clock | None = None, *, near: bool = True) -> None:
        self._objects, self._clock, self._near = objects, clock or SystemClock(), near
        self._held: dict[str, Token] = {}
        self._next_look = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Where ``KOLRAY_SERVING__TOKENS`` says; a folder is made, for its owner alone."""
        place = settings.tokens
        near = "://" not in place
        if near:
            (Path(place) / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(open_objects(place, settings.s3, "KOLRAY_SERVING__TOKENS"), near=near)

    def create(self, name: str, scopes: tuple[str, ...], rate_per_minute: int) -> str:
        """Makes a token and returns its text, which is not kept anywhere.

        Raises:
            InvalidInputError: the name is taken, or a scope is unknown.
        """
        unknown = set(scopes) - set(SCOPES)
        if unknown:
            raise InvalidInputError(f"unknown scope {', '.join(sorted(unknown))}; choose of {', '.join(SCOPES)}")
        if any(token.name == name for token in self.all()):
            raise InvalidInputError(f"a token named {name!r} exists; rotate or revoke it, or choose another name")
        return self._make(name, scopes, rate_per_minute)

    def rotate(self, name: str, overlap: timedelta = timedelta(0)) -> str:
        """A new text for a token; the old one ends after ``overlap``. Both count towards one rate limit.

        Raises:
            NotFoundError: there is none of this name.
        """
        old = self._named(name)
        newest = max(old, key=lambda token: token.created_at)
        text = self._make(name, newest.scopes, newest.rate_per_minute)
        until = self._clock.now() + overlap
        for token in old:
            if token.ends_at is None and overlap:
                self._put(token, f"{token.digest}{ENDS}{to_ms(until)}")
            if token.ends_at is None or token.ends_at > until:
                self._objects.delete([_object(token)])
        self._next_look = 0.0
        return text

    def revoke(self, name: str) -> None:
        """Ends a token, and what a rotation left of it.

        Raises:
            NotFoundError: there is none of this name.
        """
        self._objects.delete([_object(token) for token in self._named(name)])
        self._next_look = 0.0

    def all(self) -> list[Token]:
        """Every token that has not ended, read now."""
        self._look()
        return self._living()

    def check(self, text: str) -> Token | None:
        """The token of this text, or None; every kept digest is compared in constant time."""
        digest = _digest(text)
        if self._clock.monotonic() >= self._next_look:
            self._refresh()
        found = self._find(digest)
        if found is None and self._near:
            self._refresh()
            found = self._find(digest)
        return found

    def at_hand(self, text: str) -> Token | None:
        """``check`` without a look at the store; None also where one is due."""
        return self._find(_digest(text)) if self._clock.monotonic() < self._next_look else None

    def _find(self, digest: str) -> Token | None:
        found = None
        for token in self._living():
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def _refresh(self) -> None:
        self._next_look = self._clock.monotonic() + LOOK_S
        try:
            self._look()
        except ServiceUnavailableError as error:
            log.warning("tokens stay as they were: %s", error)

    def _living(self) -> list[Token]:
        now = self._clock.now()
        return [token for token in self._held.values() if token.ends_at is None or token.ends_at > now]

    def _named(self, name: str) -> list[Token]:
        found = [token for token in self.all() if token.name == name]
        if not found:
            raise NotFoundError(f"no token is named {name!r}; `kolray tokens list` shows them")
        return found

    def _look(self) -> None:
        """Lists them, and reads those that are new."""
        names = self._objects.names(FOLDER)
        held = {name: self._held.get(name) or self._read(name) for name in names if not name.startswith(".")}
        self._held = {name: token for name, token in held.items() if token is not None}

    def _read(self, name: str) -> Token | None:
        kept = self._objects.get(f"{FOLDER}/{name}")
        if kept is None:  # deleted since it was listed
            return None
        digest, _, until = name.partition(ENDS)
        try:
            row = json.loads(kept)
            ends_at = from_ms(int(until)) if until else None
            return Token(**row | {"digest": digest, "scopes": tuple(row["scopes"]), "ends_at": ends_at})
        except (ValueError, TypeError, KeyError) as error:
            log.error("%s is no token (%s): remove it", self._objects.place(f"{FOLDER}/{name}"), error)
            return None

    def _make(self, name: str, scopes: tuple[str, ...], rate_per_minute: int) -> str:
        text = PREFIX + secrets.token_urlsafe(32)
        created = self._clock.now().isoformat(timespec="milliseconds")
        token = Token(name, _digest(text), scopes, rate_per_minute, created)
        self._put(token, token.digest)
        self._next_look = 0.0
        return text

    def _put(self, token: Token, name: str) -> None:
        row = {key: value for key, value in asdict(token).items() if key not in ("digest", "ends_at")}
        self._objects.put(f"{FOLDER}/{name}", json.dumps(row).encode())


def _object(token: Token) -> str:
    ends = f"{ENDS}{to_ms(token.ends_at)}" if token.ends_at else ""
    return f"{FOLDER}/{token.digest}{ends}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
