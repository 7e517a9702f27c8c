"""Makes the compiled functions ready before a shard says that it runs.

Their first call compiles them for a quarter of a minute on an idle core, a later process loads what that left on disk
in a second. In the loop either would be a pause without a sign of life, and a hang to whoever watches it.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kolray.events import RAW_TOPICS, TIME
from kolray.schemas.registry import packaged_schema
from kolray.stream.duplicates import DuplicateFilter
from kolray.stream.hashset import SMALLEST
from kolray.stream.program import compile_program
from kolray.stream.scanned import scan_batches
from kolray.stream.state import COLUMNS


def warm_up(beat: Callable[[], None] = lambda: None) -> None:
    """Calls every compiled function of the hot path, with arrays of each kind that it will get."""
    for kind, topic in RAW_TOPICS.items():
        beat()
        program = compile_program(kind, packaged_schema(topic), COLUMNS[kind])
        if program is not None:
            scan_batches(program, [], 0, 0)
    at = pl.int_range(SMALLEST, eager=True)
    events = pl.DataFrame({"event_id": at.cast(pl.String), "event_time": at.cast(TIME)})
    for bucket_ms in (SMALLEST, SMALLEST // 2):  # all in one bucket, and in two
        seen = DuplicateFilter(bucket_ms)
        for n in (SMALLEST // 8, SMALLEST):  # the second has no room in the set of the first, which grows
            beat()
            seen.first_seen(events.head(n))
