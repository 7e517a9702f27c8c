"""What may go wrong, where, and how one schedule likes to go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

BOUNDARIES = (
    "poll", "flush", "upsert before", "upsert after", "save before", "save after", "load",
    "claim before", "claim between", "claim after", "fence before", "fence after",
    "produce", "commit before", "commit after", "ask committed",
)  # fmt: skip
"""Where faults strike."""
FOCUS_WEIGHTS = tuple(
    {"save before": 5, "commit before": 3, "save after": 2, "claim between": 3}.get(b, 1) for b in BOUNDARIES
)
"""Races begin between a check and what it allows: there more schedules have their focus."""
RESTS = ("claim between", "claim after", "load", "fence before", "save before")
"""Where one process of a schedule may rest while others run on: the other side of a race."""
FAULTS = ("crash", "hang", "thought dead", "lost answer", "broker away", "store away")
WEIGHTS = (4, 3, 3, 2, 1, 1)
"""How often each kind of fault is among those of a schedule."""
STRUCK = (*FAULTS, "zombie", "late write", "rescale", "FencedError", "ServiceUnavailableError")
"""Names under which a schedule counts what happened beside the boundaries."""
UNTIL_S = 90.0
"""No fault begins later, so that a schedule ends within the time its oracle allows for."""
SKEW_S = 15.0
"""A machine's clock is wrong by at most so much."""
FOCUS_RATE = 0.2
NEVER = 1 << 30


@dataclass
class Habits:
    """How one schedule goes: few kinds of faults, often at one boundary, find more than all of them everywhere."""

    faults_left: int
    rate: float
    """The chance of a fault at any boundary."""
    focus: str
    """The boundary at which it is ``FOCUS_RATE``."""
    rests_at: str
    """The boundary at which a process often rests for some turns."""
    kinds: list[str]
    switching: float
    """The chance that another process goes on at a boundary."""
    staying: float
    """The share of turns in which the process of the turn before goes on."""
    rescale_at: int
    """The turn in which the shards become more or fewer."""
    by_clock: bool
    checkpoint_interval_s: float
    as_bytes: bool

    @classmethod
    def draw(cls, chance: Random) -> Habits:
        """The habits of a seed."""
        return cls(
            faults_left=chance.choice((0, 1, 1, 2, 2, 3, 4, 6)),
            rate=chance.choice((0.01, 0.03, 0.1)),
            focus=chance.choices(BOUNDARIES, FOCUS_WEIGHTS)[0],
            rests_at=chance.choice(RESTS),
            kinds=chance.choices(FAULTS, WEIGHTS, k=chance.randint(1, 4)),
            switching=chance.choice((0.03, 0.3)),
            staying=chance.choice((0.0, 0.8)),
            rescale_at=chance.choice((5, 15, 30)) if chance.random() < 0.25 else NEVER,
            by_clock=chance.random() < 0.7,
            checkpoint_interval_s=chance.choice((0.3, 2.0, 5.0)),
            as_bytes=chance.random() < 0.02,
        )

    def strikes(self, boundary: str, draw: float, passed_s: float) -> bool:
        """Whether a fault strikes here, by a number drawn from 0 to 1."""
        if draw >= (FOCUS_RATE if boundary == self.focus else self.rate) or not self.faults_left or passed_s >= UNTIL_S:
            return False
        self.faults_left -= 1
        return True
