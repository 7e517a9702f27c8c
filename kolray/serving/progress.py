"""How the stream gets on, from what it tells Redis each second."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from kolray.clock import Clock, from_ms, to_ms
from kolray.serving.contracts import StreamProgress
from kolray.stores.stream_pulse import Beat, StreamPulse
from kolray.stream.status import STALE_S

RECENT_S = 10.0
"""Seconds over which the rate is told: flushes make single seconds jump."""


class Pace(NamedTuple):
    """A second of the stream."""

    at_s: float
    events_per_s: float
    lag: int


class StreamNow(NamedTuple):
    """Where it stands, its last minutes, and the whole report of ``stream.status``."""

    progress: StreamProgress
    paces: list[Pace]
    report: dict[str, Any]


def stream_now(pulse: StreamPulse, clock: Clock) -> StreamNow | None:
    """None where no stream has run.

    Raises:
        ServiceUnavailableError: Redis is away.
    """
    told = pulse.stream_status()
    if told is None:
        return None
    beats = pulse.stream_beats()
    now_s = to_ms(clock.now()) / 1000
    parts = [part for shard in told["shards"] for part in shard["partitions"].values()]
    running = told["state"] == "running" and now_s - told["at"] <= STALE_S
    state: Literal["running", "ended", "gone"] = (
        "running" if running else "gone" if told["state"] == "running" else "ended"
    )
    progress = StreamProgress(
        at=from_ms(int(told["at"] * 1000)),
        state=state,
        events_per_s=recent_rate(beats) if running else 0.0,
        lag=sum(part["lag"] or 0 for part in parts),
        behind_s=_most(part["watermark_delay_s"] for part in parts),
        checkpoint_age_s=_most(shard["checkpoint_age_s"] for shard in told["shards"]),
        events=sum(part["events"] for part in parts),
        dead_letters=sum(part["rejected"] for part in parts),
    )
    return StreamNow(progress, paces(beats), told)


def recent_rate(beats: Sequence[Beat]) -> float:
    """Events a second over the newest ``RECENT_S``; of fewer than two beats 0.

    >>> recent_rate([Beat(0.0, 100, 0), Beat(1.0, 300, 0), Beat(2.0, 700, 0)])
    300.0
    """
    newest = [beat for beat in beats if beat.at >= beats[-1].at - RECENT_S]
    if len(newest) < 2 or newest[-1].at <= newest[0].at:
        return 0.0
    return _read(newest) / (newest[-1].at - newest[0].at)


def _read(beats: Sequence[Beat]) -> int:
    # A shard that was started again counts from its checkpoint: the count goes back and is no rate.
    return sum(max(after.events - before.events, 0) for before, after in itertools.pairwise(beats))


def paces(beats: Sequence[Beat]) -> list[Pace]:
    """What lay between one beat and the next."""
    pairs = itertools.pairwise(beats)
    return [
        Pace(after.at, max(after.events - before.events, 0) / (after.at - before.at), after.lag)
        for before, after in pairs
        if after.at > before.at
    ]


def _most(values: Any) -> float | None:
    return max((value for value in values if value is not None), default=None)
