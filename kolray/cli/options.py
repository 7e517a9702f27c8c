"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import typer

from kolray.errors import InvalidInputError

COUNTS_AS_JSON = typer.Option(False, "--json", help="counts as JSON")
FIELD_COLUMN = typer.Option(None, "--map", help="FIELD=COLUMN for a file with other column names; may be repeated")


def pairs(texts: Iterable[str] | None) -> dict[str, str]:
    """``FIELD=VALUE`` texts as a dictionary.

    Raises:
        InvalidInputError: a text has no ``=``.
    """
    found = {}
    for text in texts or []:
        field, equals, value = text.partition("=")
        if not equals:
            raise InvalidInputError(f"{text!r}: write FIELD=VALUE")
        found[field] = value
    return found


def parse_time(text: str | None) -> datetime | None:
    """An ISO time as the options take it, UTC where it says nothing."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{text!r} is no ISO time, e.g. 2026-01-31T12:00:00Z") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
