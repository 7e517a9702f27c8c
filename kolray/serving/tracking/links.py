"""Links that count clicks: what they stand for is in them, signed, so that nobody can make ours lead elsewhere."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer

from kolray.errors import InvalidInputError, NotFoundError
from kolray.events import MAX_ID_BYTES
from kolray.serving.tracking.hits import MAX_URL


class Link(NamedTuple):
    """Where a link leads, and whose click it is."""

    target: str
    kol_id: str
    campaign_id: str


class Links:
    """Makes and reads the ``id`` of ``/l/{id}``."""

    def __init__(self, secret: str) -> None:
        self._signer = URLSafeSerializer(secret, salt="kolray-link")

    def make(self, link: Link) -> str:
        """The id.

        Raises:
            InvalidInputError: the target is no http(s) address of another host, or an id is missing or too long.
        """
        parts = urlsplit(link.target)
        if parts.scheme not in ("http", "https") or not parts.hostname or len(link.target) > MAX_URL:
            raise InvalidInputError(f"{link.target[:80]!r}: a link leads to an http:// or https:// address")
        for name in ("kol_id", "campaign_id"):
            if not 0 < len(getattr(link, name).encode()) <= MAX_ID_BYTES:
                raise InvalidInputError(f"{name}: 1 to {MAX_ID_BYTES} bytes")
        return str(self._signer.dumps(list(link)))

    def read(self, text: str) -> Link:
        """What an id stands for.

        Raises:
            NotFoundError: it is none of ours.
        """
        try:
            return Link(*self._signer.loads(text))
        except (BadSignature, TypeError) as error:
            raise NotFoundError("this link is not one that kolray made, or it was cut") from error
