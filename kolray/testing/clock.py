"""A clock that moves only when a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


class FakeClock:
    """``kolray.clock.Clock`` under a test's control: ``sleep`` returns at once and advances the time.

    >>> clock = FakeClock()
    >>> clock.sleep(90)
    >>> clock.now().isoformat(), clock.monotonic()
    ('2026-01-05T08:01:30+00:00', 90.0)
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError(f"{start} has no time zone; give an aware UTC datetime")
        self._start, self._passed = start.astimezone(UTC), 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Aware UTC time: the start plus all that was advanced."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Seconds advanced since the clock was made."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Advances without waiting, and notes the pause in ``slept``."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Moves both readings forward."""
        if seconds < 0:
            raise ValueError(f"a clock does not run back: {seconds} s")
        self._passed += seconds
