"""Where a forecast begins: after the last hour that is known to be whole."""

from __future__ import annotations

from datetime import datetime, timedelta

OPEN_END = timedelta(minutes=5)
"""How long before the end of an hour the newest event may lie, and the hour still counts as whole."""


def forecast_origin(newest_event: datetime, closed: datetime) -> datetime:
    """The first hour that is not known yet; hours before it without a row were silent.

    A KOL may be silent, all of them together hardly ever are: where nobody's events go on, the data ended, and what
    came after is not known, whatever a clock says.

    Args:
        newest_event: the time of the newest event of any KOL.
        closed: hours that end later are still open: the stream's watermark, or when the lake's gold was made.

    >>> from datetime import UTC
    >>> at = lambda hour, minute: datetime(2026, 1, 5, hour, minute, tzinfo=UTC)
    >>> forecast_origin(at(14, 20), at(18, 0)).hour, forecast_origin(at(13, 58), at(18, 0)).hour
    (14, 14)
    >>> forecast_origin(at(14, 58), at(14, 59)).hour
    14
    """
    known = min(newest_event + OPEN_END, closed)
    return known.replace(minute=0, second=0, microsecond=0)
