"""Dashboard sessions: a cookie that names a token, signed, good for twelve hours and only while the token lives."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

from kolray.serving.tokens import Tokens

HOURS = 12


class Sessions:
    """Signs in with an API token; checks cookies."""

    def __init__(self, tokens: Tokens, secret: str) -> None:
        self._tokens = tokens
        self._signer = URLSafeTimedSerializer(secret, salt="kolray-session")

    def sign_in(self, text: str) -> str | None:
        """The cookie for a valid token, else None."""
        token = self._tokens.check(text.strip())
        return None if token is None else str(self._signer.dumps([token.name, token.digest[:16]]))

    def ok(self, cookie: str) -> bool:
        """Whether a cookie is ours, young enough, and its token was not revoked."""
        try:
            name, digest = self._signer.loads(cookie, max_age=HOURS * 3600)
        except (BadSignature, ValueError):
            return False
        return any(token.name == name and token.digest.startswith(digest) for token in self._tokens.all())


def kept_secret(home: Path, name: str = "session.key") -> str:
    """A random secret of this home folder, made once, readable by its owner only."""
    file = home / name
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text()
    with os.fdopen(descriptor, "w") as out:
        secret = secrets.token_urlsafe(32)
        out.write(secret)
    return secret
