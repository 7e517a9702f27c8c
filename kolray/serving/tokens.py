"""API tokens: 256 random bits shown once, kept as SHA-256 in a file only its owner may read."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from kolray.clock import Clock, SystemClock
from kolray.errors import InvalidInputError, NotFoundError, SettingsError

PREFIX = "kolray_"
SCOPES = ("read", "score", "admin")


@dataclass(frozen=True)
class Token:
    """A token as it is kept: ``digest`` proves it, nothing reveals it."""

    name: str
    digest: str
    scopes: tuple[str, ...]
    rate_per_minute: int
    created_at: str

    def may(self, scope: str) -> bool:
        """Whether it has a scope; ``admin`` has every one."""
        return scope in self.scopes or "admin" in self.scopes


class TokenFile:
    """Tokens in one JSON file; read again when it changes, so a revoked token ends at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: int | None = None
        self._tokens: list[Token] = []

    def create(self, name: str, scopes: tuple[str, ...], rate_per_minute: int, clock: Clock | None = None) -> str:
        """Makes a token and returns its text, which is not kept anywhere.

        Raises:
            InvalidInputError: the name is taken, or a scope is unknown.
        """
        unknown = set(scopes) - set(SCOPES)
        if unknown:
            raise InvalidInputError(f"unknown scope {', '.join(sorted(unknown))}; choose of {', '.join(SCOPES)}")
        tokens = self.all()
        if any(token.name == name for token in tokens):
            raise InvalidInputError(f"a token named {name!r} exists; revoke it first or choose another name")
        text = PREFIX + secrets.token_urlsafe(32)
        created = (clock or SystemClock()).now().isoformat(timespec="seconds")
        self._write([*tokens, Token(name, _digest(text), scopes, rate_per_minute, created)])
        return text

    def revoke(self, name: str) -> None:
        """Ends a token.

        Raises:
            NotFoundError: there is none of this name.
        """
        tokens = self.all()
        left = [token for token in tokens if token.name != name]
        if len(left) == len(tokens):
            raise NotFoundError(f"no token is named {name!r}; `kolray tokens list` shows them")
        self._write(left)

    def all(self) -> list[Token]:
        """Every token."""
        try:
            stamp = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        if stamp != self._stamp:
            try:
                rows = json.loads(self._path.read_text())
                self._tokens = [Token(**row | {"scopes": tuple(row["scopes"])}) for row in rows]
            except (ValueError, TypeError, KeyError) as error:
                raise SettingsError(f"{self._path} is damaged ({error}); remove it and create tokens anew") from error
            self._stamp = stamp
        return self._tokens

    def check(self, text: str) -> Token | None:
        """The token of this text, or None; every kept digest is compared in constant time."""
        digest, found = _digest(text), None
        for token in self.all():
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def _write(self, tokens: list[Token]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump([asdict(token) for token in tokens], out, indent=1)
        temporary.rename(self._path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
