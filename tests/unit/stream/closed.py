"""Closed window rows in few words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from kolray.clock import from_ms
from kolray.features.window_metrics import METRICS, SUMS
from kolray.stores.metrics import WINDOW_SCHEMA
from kolray.stream.patterns import Patterns, Rule
from kolray.stream.patterns.reading import parse

T0 = 1_760_000_400_000
"""A whole hour."""


def row(hour: int, kol: str = "a", window: str = "1h", **values: Any) -> dict[str, Any]:
    """The KOL's closed window ``hour`` hours after ``T0``; columns not named are 0 or null."""
    base: dict[str, Any] = {name: 0 if name in SUMS else None for name in METRICS}
    start = from_ms(T0) + timedelta(hours=hour)
    return {"kol_id": kol, "window": window, "window_start": start, "final": True, **base, **values}


def rows(items: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """As ``WINDOW_SCHEMA``."""
    return pl.DataFrame(items, schema=WINDOW_SCHEMA)


def likes(text: str, kol: str = "a", start: int = 0) -> pl.DataFrame:
    """One window an hour with as many likes as the digit says; ``.`` is an hour without a window."""
    return rows([row(start + hour, kol, likes=int(c)) for hour, c in enumerate(text) if c != "."])


def pattern(steps: str, name: str = "p", head: str = "") -> Rule:
    """A pattern of TOML steps, checked as those of a file."""
    body = "\n".join(f"[[pattern.step]]\n{step}" for step in steps.split("|"))
    return parse(f'[[pattern]]\nname = "{name}"\n{head}\n{body}', "test.toml")[0]


def hours(alerts: pl.DataFrame) -> list[int]:
    """Hours after ``T0`` of the windows that alerted."""
    return ((alerts["window_start"].dt.epoch("ms") - T0) // 3_600_000).to_list()


def fires(steps: str, text: str) -> list[int]:
    """Hours at which a pattern fires on ``likes(text)``."""
    return hours(Patterns([pattern(steps)]).on_closed(likes(text)))
