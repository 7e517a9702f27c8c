"""Parts of a page that do without a store that is away, so that the rest is still shown."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from kolray.errors import ServiceUnavailableError

log = logging.getLogger(__name__)
Value = TypeVar("Value")


def unless_away(ask: Callable[[], Value]) -> Value | None:
    """What it answers; None, and a line in the log, where a service does not answer."""
    try:
        return ask()
    except ServiceUnavailableError as error:
        log.warning("dashboard: %s", error)
        return None
