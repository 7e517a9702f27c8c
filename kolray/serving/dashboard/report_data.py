"""What the pages beyond KOLs and alerts are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kolray.serving.contracts import StreamProgress


class StreamPage(NamedTuple):
    """How the stream gets on; ``per_s`` and ``lag`` are its newest minutes, oldest first."""

    now: StreamProgress
    per_s: Sequence[float]
    lag: Sequence[int]


class ReportData(Protocol):
    """Where these pages get their data; called from a thread pool, so implementations may block but not hang."""

    def stream(self) -> StreamPage | None:
        """None where no stream has told anything, or nobody knows, as Redis is away."""
        ...
