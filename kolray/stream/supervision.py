"""What becomes of each shard, decided from what was seen of it and a clock; ``actors.py`` carries it out.

============  =======================================================================================
seen          then
============  =======================================================================================
it died       started again at once; repeatedly without a checkpoint between: after 1, 2, 4 … 30 s
no heartbeat  for ``hang_after_s``: given up (killed where possible, fenced anyway), started again
it failed     as a death, with its reason shown; an error that waiting cannot mend ends the run
============  =======================================================================================

A shard is started again as a new process with a new epoch, so whatever the old one still does is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from kolray.clock import Clock
from kolray.errors import (
    CheckpointError,
    FencedError,
    InvalidInputError,
    KolrayError,
    NotFoundError,
    ServiceUnavailableError,
    SettingsError,
)
from kolray.redaction import redacted

State = Literal["waiting", "starting", "running", "ended"]
LASTING = (SettingsError, CheckpointError, InvalidInputError, NotFoundError)
"""Errors that the same start would meet again."""
START_S = 120.0
"""Seconds a shard has for a sign of life until it runs: its process starts, compiles, loads its model, restores."""
LONGEST_PAUSE_S = 30.0
GIVE_UP_AFTER = 8
"""Failures in a row after which a bounded run ends; a run without end goes on trying."""


def pause_s(failures: int) -> float:
    """Seconds before the next start, after so many failures in a row.

    >>> [pause_s(n) for n in range(1, 9)]
    [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    """
    return 0.0 if failures <= 1 else min(2.0 ** (failures - 2), LONGEST_PAUSE_S)


@dataclass
class ShardWatch:
    """One shard as the supervisor knows it; times are seconds of the clock that never runs back."""

    partitions: list[int]
    state: State = "waiting"
    restarts: int = 0
    failures: int = 0
    """In a row, without a checkpoint between."""
    reason: str | None = None
    """Why it was last started again."""
    not_before: float = 0.0
    seen_at: float = 0.0
    beats: int = -1
    checkpoints: int = -1
    """The sum of its partitions' checkpoint numbers when first seen; more is progress."""


@dataclass
class Supervision:
    """Watches shards over groups of partitions.

    Args:
        until_end: a bounded run, which must not try for ever.
    """

    groups: Sequence[Sequence[int]]
    clock: Clock
    hang_after_s: float
    until_end: bool = False
    shards: list[ShardWatch] = field(init=False)
    _ever_ran: bool = False

    def __post_init__(self) -> None:
        self.shards = [ShardWatch(list(group)) for group in self.groups]

    @property
    def done(self) -> bool:
        """Every shard of a bounded run has ended."""
        return all(shard.state == "ended" for shard in self.shards)

    @property
    def restarts(self) -> int:
        """Starts of all shards beyond their first."""
        return sum(shard.restarts for shard in self.shards)

    def due(self) -> list[int]:
        """Shards to start now."""
        now = self.clock.monotonic()
        return [i for i, shard in enumerate(self.shards) if shard.state == "waiting" and now >= shard.not_before]

    def started(self, index: int) -> None:
        """A process for it was asked for."""
        shard = self.shards[index]
        shard.state, shard.seen_at = "starting", self.clock.monotonic()
        shard.beats = shard.checkpoints = -1

    def beat(self, index: int, beats: int, checkpoints: int | None = None) -> None:
        """It answered: its count of heartbeats, and its checkpoints where it has restored already."""
        shard = self.shards[index]
        if shard.state not in {"starting", "running"}:
            return
        if beats != shard.beats:
            shard.beats, shard.seen_at = beats, self.clock.monotonic()
        if checkpoints is None:
            return
        shard.state, self._ever_ran = "running", True
        if shard.checkpoints < 0:
            shard.checkpoints = checkpoints
        elif checkpoints > shard.checkpoints:
            shard.failures = 0

    def hung(self) -> list[int]:
        """Shards whose loop shows no sign of life."""
        now = self.clock.monotonic()
        limits = {"running": self.hang_after_s, "starting": max(START_S, self.hang_after_s)}
        return [i for i, s in enumerate(self.shards) if s.state in limits and now - s.seen_at > limits[s.state]]

    def hangs(self, index: int) -> None:
        """It was given up as hung."""
        passed = self.clock.monotonic() - self.shards[index].seen_at
        self._again(index, f"no progress for {passed:.0f} s")

    def died(self, index: int, how: str = "its process died") -> None:
        """Its process or its node is gone."""
        self._again(index, how)

    def failed(self, index: int, error: Exception, *, taken_over: bool = False) -> None:
        """Its loop raised.

        Args:
            taken_over: another run of the stream has begun on the same checkpoints.

        Raises:
            KolrayError: starting it again cannot mend this.
        """
        if isinstance(error, FencedError) and taken_over:
            raise KolrayError(f"another `kolray stream` has taken over these checkpoints; this one ends ({error})")
        never = isinstance(error, ServiceUnavailableError) and not self._ever_ran
        if isinstance(error, LASTING) or never:
            raise error
        self._again(index, f"{type(error).__name__}: {error}".splitlines()[0])
        if self.until_end and self.shards[index].failures >= GIVE_UP_AFTER:
            raise KolrayError(
                f"the shard of partitions {self.shards[index].partitions} failed {GIVE_UP_AFTER} times in a row "
                f"without a checkpoint between: {error}"
            ) from error

    def ended(self, index: int) -> None:
        """Its bounded run is complete."""
        self.shards[index].state = "ended"

    def _again(self, index: int, reason: str) -> None:
        shard = self.shards[index]
        shard.failures += 1
        shard.restarts += 1
        shard.reason, shard.state = redacted(reason), "waiting"
        shard.not_before = self.clock.monotonic() + pause_s(shard.failures)
