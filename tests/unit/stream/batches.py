"""Events and record batches in few words."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from kolray.benchmarks.simulate import records as made
from kolray.benchmarks.simulate.records import Record, event_frame, records
from kolray.events import Kind
from kolray.stream.fetch import RawBatch

__all__ = ["T0", "Record", "batch", "records", "social_frame", "web_frame"]

T0 = 1_760_000_100_000
"""A whole five minutes."""


def social_frame(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Valid engagement events with the given columns set."""
    base = {"kol_id": "kol_1", "platform": "youtube", "event_type": "engagement", "event_time": T0}
    full = [{"event_id": f"e{i}", **base, **row} for i, row in enumerate(rows)]
    return event_frame("social", full)


def web_frame(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Valid web impressions with the given columns set."""
    base = {"kol_id": "kol_1", "campaign_id": "c1", "event_type": "impression", "event_time": T0}
    full = [
        {"event_id": f"w{i}", **base, "visitor": "v", "consent": True, "url": "https://x.example", **row}
        for i, row in enumerate(rows)
    ]
    return event_frame("web", full)


def batch(
    kind: Kind, items: Sequence[Record], base: int = 0, at_ms: int = T0, start: int = 0, partition: int = 0
) -> RawBatch:
    """As the simulation makes them, written at ``T0``."""
    return made.batch(kind, items, base, at_ms, start, partition)
