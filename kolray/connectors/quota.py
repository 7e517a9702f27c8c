"""How much a platform may be asked: units in a period that begins anew at its own midnight or hour, and what is left.

Every attempt is written down before it is made, so that a restart knows of it: what was spent is never less than what
the platform counted. Around a reset an attempt counts in both periods, since the platform's clock may differ from ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from kolray.clock import Clock
from kolray.errors import QuotaSpentError

SKEW = timedelta(minutes=5)
"""How far a platform's clock may be from ours."""


@dataclass(frozen=True)
class Quota:
    """``units`` a day of ``zone``, or an hour."""

    units: int
    every: Literal["day", "hour"] = "day"
    zone: str = "UTC"

    def period(self, now: datetime) -> str:
        """The name of the period that ``now`` is in.

        >>> Quota(1, "day", "America/Los_Angeles").period(datetime(2026, 7, 1, 6, 59, tzinfo=UTC))
        '2026-06-30'
        """
        local = now.astimezone(ZoneInfo(self.zone))
        return f"{local:%Y-%m-%d}" if self.every == "day" else f"{now.astimezone(UTC):%Y-%m-%dT%H}"

    def periods(self, now: datetime) -> list[str]:
        """One period, or two around a reset."""
        return sorted({self.period(now - SKEW), self.period(now + SKEW)})

    def resets_at(self, now: datetime) -> datetime:
        """When the next period begins, UTC."""
        if self.every == "hour":
            return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        local = now.astimezone(ZoneInfo(self.zone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return midnight.astimezone(UTC)


class Spent(Protocol):
    """What was spent in each period, kept durably (``PollState``)."""

    def spent(self, period: str) -> int: ...

    def add_spent(self, periods: list[str], units: int) -> None: ...


class Meter:
    """Spends a quota; ``units`` are those of this process."""

    def __init__(self, quota: Quota, spent: Spent, clock: Clock) -> None:
        self._quota, self._spent, self._clock = quota, spent, clock
        self.units = 0

    def left(self) -> int:
        """Units that may still be spent now."""
        periods = self._quota.periods(self._clock.now())
        return max(self._quota.units - max(self._spent.spent(period) for period in periods), 0)

    def spend(self, units: int) -> None:
        """Writes units down that are about to be spent.

        Raises:
            QuotaSpentError: they are not left; nothing was written.
        """
        if not units:
            return
        now = self._clock.now()
        if units > self.left():
            raise QuotaSpentError(
                f"{self.left()} of {self._quota.units} units are left and {units} are needed: poll again after "
                f"{self._quota.resets_at(now) + SKEW:%Y-%m-%d %H:%M} UTC, it goes on where it stopped"
            )
        self._spent.add_spent(self._quota.periods(now), units)
        self.units += units
