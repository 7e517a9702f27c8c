"""The deny-list: KOLs that were erased, as keyed hashes, so that what Kafka still holds of them does not come back.

It lies in the lake's root, one empty object a KOL beside a random key: whoever reads the list learns no id from it, but
can ask about one. Stream, bronze, ingestion and the API read it; ``kolray lake forget`` adds to it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Iterator
from typing import Any

import polars as pl
import polars_hash as plh

from kolray.clock import Clock, SystemClock
from kolray.errors import SchemaError, ServiceUnavailableError
from kolray.schemas.registry import Registry, open_registry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.settings import Settings
from kolray.stream.objects import Objects, open_objects

log = logging.getLogger(__name__)
FOLDER = "_denied"
KEY = f"{FOLDER}/key"
LOOK_S = 2.0
"""Seconds between looks for new ones; in a bucket each is a request."""
AWAY_S = 30.0
"""Seconds until the next look where the list could not be read: an attempt may take as long as its timeout."""
_HASH = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(rb"[0-9A-Za-z_\-.:@]+")


class DenyList:
    """Who was erased.

    Args:
        objects: the lake's root.
        registry: knows the schemas of dead letters' values.
    """

    def __init__(self, objects: Objects, registry: Registry, clock: Clock | None = None) -> None:
        self._objects, self._registry, self._clock = objects, registry, clock or SystemClock()
        self._key = ""
        self._hashes: frozenset[str] = frozenset()
        self._held = pl.Series([], dtype=pl.String)
        self._next = 0.0
        self.look(now=True)

    def look(self, *, now: bool = False) -> bool:
        """Reads the list again, at most once in ``LOOK_S``; whether it has changed.

        Args:
            now: at once; and where the list cannot be read, that is an error. Else it stays as it was: a lake that is
                away must not stop the stream.

        Raises:
            ServiceUnavailableError: as ``now`` says.
        """
        if not now and not self.due():
            return False
        self._next = self._clock.monotonic() + LOOK_S
        try:
            found = frozenset(name for name in self._objects.names(FOLDER) if _HASH.fullmatch(name))
        except ServiceUnavailableError as error:
            if now:
                raise
            self._next = self._clock.monotonic() + AWAY_S
            log.warning("the deny-list stays as it was: %s", error)
            return False
        if found == self._hashes:
            return False
        self._key = (self._objects.get(KEY) or b"").decode()
        self._hashes, self._held = found, pl.Series(sorted(found), dtype=pl.String)
        return True

    def due(self) -> bool:
        """Whether ``look`` would read the list."""
        return self._clock.monotonic() >= self._next

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def digest(self) -> str:
        """Names the list as it is: who answers with the same has taken over the same."""
        return hashlib.sha256("".join(sorted(self._hashes)).encode()).hexdigest()[:16]

    def add(self, kol_id: str) -> str:
        """Denies a KOL from now on; returns its hash. May be repeated; one at a time, as an erasure runs alone."""
        if not self._objects.get(KEY):
            self._objects.put(KEY, secrets.token_hex(32).encode())
        self._key = (self._objects.get(KEY) or b"").decode()
        hashed = self.hash_of(kol_id)
        self._objects.create(f"{FOLDER}/{hashed}")
        self.look(now=True)
        return hashed

    def hash_of(self, kol_id: str) -> str:
        """HMAC-SHA-256 of the id without spaces around it."""
        return hmac.new(self._key.encode(), kol_id.strip().encode(), hashlib.sha256).hexdigest()

    def has(self, kol_id: str) -> bool:
        """Whether a KOL was erased."""
        return bool(self._hashes) and self.hash_of(kol_id) in self._hashes

    def among(self, kol_ids: pl.Series) -> pl.Series:
        """Boolean, one an id; null is nobody."""
        if not self._hashes or not len(kol_ids):
            return pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(kol_ids))
        texts = kol_ids.cast(pl.String, strict=False).alias("id")
        once = texts.unique().drop_nulls().to_frame().with_columns(bare=pl.col("id").str.strip_chars())
        hashed = once.select("id", hashed=plh.col("bare").chash.hmac_sha256(key=self._key))
        denied = hashed.filter(pl.col("hashed").is_in(self._held.implode()))["id"]
        return texts.is_in(denied.implode()).fill_null(value=False)

    def allowed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of everybody else, by ``kol_id``; the frame itself where nothing in it is denied.

        Dead letters (``key``, ``value``) go by key, by the fields of the value, or by any word of the raw bytes. Rows
        with neither belong to nobody.
        """
        if not self._hashes or not frame.height:
            return frame
        if "kol_id" in frame.columns:
            denied = self.among(frame["kol_id"])
        elif {"key", "value"} <= set(frame.columns):
            denied = pl.Series(
                [self._names(*row) for row in frame.select("key", "value").iter_rows()], dtype=pl.Boolean
            )
        else:
            return frame
        return frame.filter(~denied) if denied.any() else frame

    def _names(self, key: bytes | None, value: bytes | None) -> bool:
        return any(self.has(word) for word in _words(key, value, self._registry))


def _words(key: bytes | None, value: bytes | None, registry: Registry) -> Iterator[str]:
    """What may be the id in a record nobody could use."""
    for raw in (key, value):
        if raw:
            yield raw.decode(errors="replace")
            yield from (word.decode() for word in _WORD.findall(raw))
    for field in _fields(value or b"", registry).values():
        if isinstance(field, str):
            yield field


def _fields(value: bytes, registry: Registry) -> dict[str, Any]:
    """A record's fields, where it is one, of Avro or JSON."""
    try:
        return decode_value(value, registry.schema(schema_id_of(value)))
    except SchemaError:
        pass
    try:
        row = json.loads(value)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def open_deny_list(settings: Settings) -> DenyList:
    """The one in the lake that the settings name."""
    objects = open_objects(settings.lake_root.url, settings.s3, "KOLRAY_LAKE__ROOT")
    return DenyList(objects, open_registry(settings.registry.url))
