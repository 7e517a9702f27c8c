"""The dashboard's other pages over a world that stands still."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from kolray.serving.contracts import StreamProgress
from kolray.serving.dashboard.report_data import StreamPage


class FakeReports:
    """``ReportData`` without any store.

    Args:
        empty: nothing has run yet.
    """

    def __init__(self, now: datetime, *, empty: bool = False) -> None:
        self._now, self._empty = now, empty

    def stream(self) -> StreamPage | None:
        """One that runs, in waves."""
        if self._empty:
            return None
        per_s = [5200 + 900 * math.sin(second / 6) for second in range(120)]
        progress = StreamProgress(
            at=self._now - timedelta(seconds=1),
            state="running",
            events_per_s=per_s[-1],
            lag=1840,
            behind_s=34.0,
            checkpoint_age_s=21.0,
            events=18_400_000,
            dead_letters=12,
        )
        return StreamPage(progress, per_s, [1500 + second * 3 for second in range(120)])
