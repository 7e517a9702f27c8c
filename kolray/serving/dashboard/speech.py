"""Figures and dates as a reader's language writes them: ``12,345.6`` and ``12 Mar``, or ``12.345,6`` and ``12/3``.

The language is that of the request being answered, and holds in the threads that answer it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

_LANGUAGE: ContextVar[str] = ContextVar("language", default="en")
_COMMAS = str.maketrans(",.", ".,")
_SIZES = {"vi": {"k": "k", "M": "\u202ftr", "B": "\u202ftỷ"}}
_DAYS = ("T2", "T3", "T4", "T5", "T6", "T7", "CN")
"""As Vietnamese calendars name them: Monday is the second day."""


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within it, what this module writes is in the language."""
    before = _LANGUAGE.set(language)
    try:
        yield
    finally:
        _LANGUAGE.reset(before)


def figures(text: str) -> str:
    """A number as Python formats it, with the language's separators and a real minus sign.

    >>> with speaking("vi"):
    ...     figures(f"{-1234.5:,.1f}")
    '−1.234,5'
    """
    signed = text.replace("-", "−")
    return signed.translate(_COMMAS) if _LANGUAGE.get() == "vi" else signed


def size(unit: str) -> str:
    """``k``, ``M`` or ``B`` behind a number."""
    return _SIZES.get(_LANGUAGE.get(), {}).get(unit, unit)


def date(at: datetime) -> str:
    """``12 Mar`` or ``12/3``."""
    return f"{at.day}/{at.month}" if _LANGUAGE.get() == "vi" else f"{at.day} {at:%b}"


def weekday(at: datetime) -> str:
    """``Thu`` or ``T5``."""
    return _DAYS[at.weekday()] if _LANGUAGE.get() == "vi" else f"{at:%a}"
