"""What of a KOL a table, a log entry or raw bytes hold, and how they look without it (pure).

A row whose ``kol_id`` is the KOL's goes. A text of somebody else that names the KOL keeps its row, since that row
counts for somebody else: the name becomes ``FORGOTTEN``. Bytes that name it cannot be mended: their row goes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import polars as pl

KEY = "kol_id"
FORGOTTEN = "[***]"
"""No word: it must name nobody."""


@dataclass(frozen=True)
class Cleaned:
    """``frame`` without the KOL; ``removed`` rows are gone, ``redacted`` ones no longer name it."""

    frame: pl.DataFrame
    removed: int
    redacted: int

    @property
    def found(self) -> int:
        """Rows that held anything of the KOL."""
        return self.removed + self.redacted


class Trace:
    """Finds one KOL.

    An id is a whole word of a text: ``k1`` is in ``ask k1!`` and not in ``k10`` or ``x-k1``. In the column ``kol_id``
    it is the whole value, but for spaces around it.
    """

    def __init__(self, kol_id: str) -> None:
        self.kol_id = kol_id.strip()
        self._forms = sorted({self.kol_id, json.dumps(self.kol_id)[1:-1]})  # as it is, and as JSON escapes it
        either = "|".join(map(re.escape, self._forms))
        # a JSON text may hold \n before the word, whose n is no letter of it
        self._text = re.compile(rf"(?:(?<![\w-])|(?<=\\[bfnrt]))(?:{either})(?![\w-])")
        raw = [re.escape(form.encode()) for form in self._forms]
        self._bytes = re.compile(rb"(?<![0-9A-Za-z_-])(?:" + b"|".join(raw) + rb")(?![0-9A-Za-z_-])")
        self._avro = _avro_string(self.kol_id)

    def clean(self, frame: pl.DataFrame) -> Cleaned:
        """Rows without the KOL, in their order."""
        kept = frame.filter(~self._gone(frame)) if frame.height else frame
        texts = [name for name, dtype in kept.schema.items() if dtype == pl.String and name != KEY]
        named = pl.Series([False], dtype=pl.Boolean).new_from_index(0, kept.height)
        for name in texts:
            column, here = self._redacted(kept[name])
            if here is not None:
                kept, named = kept.with_columns(column), named | here
        return Cleaned(kept, frame.height - kept.height, int(named.sum()))

    def _gone(self, frame: pl.DataFrame) -> pl.Series:
        """Rows of the KOL, and rows whose bytes name it."""
        gone = pl.Series([False], dtype=pl.Boolean).new_from_index(0, frame.height)
        if frame.schema.get(KEY) == pl.String:
            gone |= (frame[KEY].str.strip_chars() == self.kol_id).fill_null(value=False)
        for name in (name for name, dtype in frame.schema.items() if dtype == pl.Binary):
            at = self._maybe(frame[name]).arg_true()
            sure = [self.in_bytes(value) for value in frame[name].gather(at)]
            gone |= pl.Series([False], dtype=pl.Boolean).new_from_index(0, frame.height).scatter(at, sure)
        return gone

    def _redacted(self, column: pl.Series) -> tuple[pl.Series, pl.Series | None]:
        """The column without the name, and where it was; None: nowhere."""
        maybe = column.str.contains_any(self._forms).fill_null(value=False)
        if not maybe.any():
            return column, None
        at = maybe.arg_true()
        before = column.gather(at)
        after = pl.Series([self._text.sub(FORGOTTEN, text) for text in before], dtype=pl.String)
        changed = maybe.scatter(at, before != after)
        return (column.clone().scatter(at, after), changed) if changed.any() else (column, None)

    def _maybe(self, column: pl.Series) -> pl.Series:
        """Values in which the bytes occur at all."""
        found = [column.bin.contains(form.encode()).fill_null(value=False) for form in self._forms]
        return found[0] if len(found) == 1 else found[0] | found[1]

    def in_text(self, text: str) -> bool:
        """Whether a text names the KOL."""
        return self._text.search(text) is not None

    def in_bytes(self, value: bytes) -> bool:
        """Whether bytes name the KOL: as a word, or as a string of an Avro record, where any byte may follow."""
        return self._avro in value or self._bytes.search(value) is not None

    def in_json(self, value: Any, name: str = "") -> bool:
        """Whether anything in a parsed JSON value names the KOL, also in texts that are JSON (statistics)."""
        if isinstance(value, dict):
            return any(self.in_text(key) or self.in_json(inner, key) for key, inner in value.items())
        if isinstance(value, list | tuple):
            return any(self.in_json(inner, name) for inner in value)
        if not isinstance(value, str):
            return False
        if name == KEY:
            return value.strip() == self.kol_id
        if value.startswith("{"):
            try:
                return self.in_json(json.loads(value))
            except ValueError:
                pass
        return self.in_text(value)


def _avro_string(text: str) -> bytes:
    """A string as Avro writes it: its length as a zigzag varint, then its bytes."""
    raw = text.encode()
    left, head = 2 * len(raw), bytearray()
    while left > 0x7F:
        head.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*head, left]) + raw
