"""Valid JSON made hostile: fields of other types and sizes, missing, doubled, nested; and bytes that are no JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

DEEP = 2_000
"""Levels of nesting, beyond what a recursive reader takes."""
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, -(2**63), 2**63, 10**40, 10**400, 1.5, -0.0, 1e308, float("inf"), float("nan"),
    "", " ", "0", "-1", "1e999999", "9" * 5_000, "NaN", "null", "1.2万", "万", "１２", "\x00", "a\x00b", "\ud800",
    "x\udfff", "\u202e\u200b", "👩‍👩‍👧‍👦" * 50, "đ" * 129, "x" * 129, "y" * 70_000,
    "'; DROP TABLE events; --", "<script>alert(1)</script>",
    "../../etc/passwd", "{{7*7}}", "%00%ff", "http://[::1", "https://u:p@h/p?q=1#f", "javascript:alert(1)",
    "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-05-01", "Tue May 31 17:46:55 +0800 0000",
    [], [None], [[]], {}, {"a": {"b": []}}, {"value": 1}, list(range(200)),
)  # fmt: skip


class Hostile:
    """Repeats itself from its seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def value(self) -> Any:
        """One that no schema expects, or an unusual one that some do."""
        return deepcopy(self.chance.choice(VALUES))

    def changed(self, item: Mapping[str, Any], times: int = 3) -> dict[str, Any]:
        """A copy with some fields replaced, removed or added, at any depth."""
        out: dict[str, Any] = json.loads(json.dumps(item))
        for _ in range(self.chance.randrange(times + 1)):
            place = self._place(out)
            name = self.chance.choice([*place, "extra"]) if place else "extra"
            if name in place and self.chance.random() < 0.25:
                del place[name]
            else:
                place[name] = self.value()
        return out

    def _place(self, item: dict[str, Any]) -> dict[str, Any]:
        """The item, or an object within it."""
        while nested := [value for value in item.values() if isinstance(value, dict)]:
            if self.chance.random() < 0.3:
                break
            item = self.chance.choice(nested)
        return item

    def written(self, value: Any) -> bytes:
        """As JSON of one of several writers."""
        text = json.dumps(value, ensure_ascii=self.chance.random() < 0.5)
        return text.encode("utf-8", "surrogatepass")

    def bytes(self, text: bytes) -> bytes:
        """Damaged: cut, flipped, doubled, nested beyond measure, or anything."""
        kind = self.chance.randrange(6)
        at = self.chance.randrange(len(text) + 1)
        if kind == 0:
            return text[:at]
        if kind == 1:
            flipped = bytearray(text or b"{")
            flipped[self.chance.randrange(len(flipped))] ^= 1 << self.chance.randrange(8)
            return bytes(flipped)
        if kind == 2:
            return text[:at] + self.chance.randbytes(self.chance.randrange(20)) + text[at:]
        if kind == 3:
            return (b"[" if at % 2 else b'{"a":') * DEEP + text
        return text + text if kind == 4 else self.chance.randbytes(self.chance.randrange(200))
