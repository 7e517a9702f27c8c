"""Which part of the lake's jobs is struck when: the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["driver", "worker"]
TARGETS: list[tuple[str, Kind]] = [
    ("bronze", "driver"),
    ("bronze", "worker"),
    ("silver", "driver"),
    ("silver", "worker"),
    ("gold", "driver"),
    ("gold", "worker"),
    ("maintenance", "driver"),
]
"""Layer and process; maintenance has none but its driver."""


@dataclass(frozen=True)
class Strike:
    """One kill: in a layer, when ``at`` of the time has passed that it took the last time."""

    layer: str
    kind: Kind
    at: float
    target: int


def plan(kills: int, seed: int) -> list[Strike]:
    """``kills`` strikes at random points of every layer, each target as often as any other.

    >>> sorted({(strike.layer, strike.kind) for strike in plan(7, seed=1)}) == sorted(TARGETS)
    True
    """
    random = Random(seed)  # noqa: S311 - not a secret: a repeatable plan
    targets = list(TARGETS)
    drawn: list[tuple[str, Kind]] = []
    while len(drawn) < kills:
        random.shuffle(targets)
        drawn += targets
    return [Strike(*target, random.random(), random.randrange(1 << 16)) for target in drawn[:kills]]
