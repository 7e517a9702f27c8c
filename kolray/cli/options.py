"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from kolray.errors import InvalidInputError

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
