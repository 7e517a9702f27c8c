"""What it costs to keep state for few and for many sliding windows, the rows that leave apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from kolray.benchmarks.events import chunks
from kolray.events import RAW_TOPICS, Kind
from kolray.stream.state import COLUMNS, PartitionState
from kolray.stream.windows import WindowSpec

FEW, MANY = ("1m", "5m", "15m/5m"), ("1m", "5m", "15m/1m")
"""The one-minute window gives both the same panes: what differs is how many windows slide over them."""
CHUNK = 20_000
"""Social events at a time, as a fetch of a shard that is a little behind brings them."""
Fetch = tuple[Kind, pl.DataFrame]


@dataclass(frozen=True)
class Slides:
    """CPU seconds over the same events with ``FEW`` and ``MANY``, panes of one minute in both; the best of some rounds.

    ``ratio`` is ``many_state_s / few_state_s``: duplicates, panes, watermark, forgetting. Making the rows that leave
    (``rows_s``) is apart: there are more of them.
    """

    events: int
    few_state_s: float
    many_state_s: float
    ratio: float
    few_rows: int
    many_rows: int
    few_rows_s: float
    many_rows_s: float


class TimedState(PartitionState):
    """Counts the CPU time that making rows takes."""

    rows_s: float = 0.0

    def _rows_until(self, until_ms: int) -> pl.DataFrame:
        before = time.process_time()
        rows = super()._rows_until(until_ms)
        self.rows_s += time.process_time() - before
        return rows


def slides(n_events: int = 2_000_000, n_kols: int = 2000, rounds: int = 3) -> Slides:
    """Runs the state over ``n_events`` in memory, in turn with few and many windows."""
    fetches = [(kind, as_decoded(kind, frame)) for kind, frame in chunks(n_events, n_kols, 7, CHUNK)]
    costs: dict[tuple[str, ...], list[tuple[float, float, int]]] = {FEW: [], MANY: []}
    for _ in range(rounds):
        for windows, found in costs.items():
            found.append(_cost(fetches, windows))
    few, many = (min(found) for found in costs.values())
    return Slides(
        events=sum(frame.height for _, frame in fetches),
        few_state_s=round(few[0], 3),
        many_state_s=round(many[0], 3),
        ratio=round(many[0] / few[0], 3),
        few_rows=few[2],
        many_rows=many[2],
        few_rows_s=round(few[1], 3),
        many_rows_s=round(many[1], 3),
    )


def _cost(fetches: Sequence[Fetch], windows: tuple[str, ...]) -> tuple[float, float, int]:
    """(CPU seconds of the state, of the rows that leave, how many rows)."""
    state = TimedState([WindowSpec.parse(text) for text in windows], rules=())
    rows, before = 0, time.process_time()
    for kind, frame in fetches:
        now_ms = int(frame["kafka_ms"][-1])
        corrected, _ = state.on_events(kind, frame, now_ms)
        final, _ = state.advance(now_ms, {})
        rows += corrected.height + final.height
    rows += state.end_of_input()[0].height
    return time.process_time() - before - state.rows_s, state.rows_s, rows


def as_decoded(kind: Kind, frame: pl.DataFrame) -> pl.DataFrame:
    """Events as they come from a decoder."""
    return frame.select(
        *COLUMNS[kind],
        pl.lit(RAW_TOPICS[kind]).alias("topic"),
        pl.lit(0, pl.Int32).alias("partition"),
        pl.int_range(pl.len()).alias("offset"),
        kafka_ms=pl.col("event_time").max().dt.epoch("ms"),
    )
