"""Which part is struck when: the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["shard", "driver", "redis", "broker", "store", "hang", "zombie"]
SHARES: dict[Kind, int] = {"shard": 18, "driver": 2, "redis": 4, "broker": 2, "store": 1, "hang": 2, "zombie": 1}
"""Of thirty strikes. ``hang``: a shard stops and its partitions move. ``zombie``: a shard stops, its supervisor is
killed, and it wakes up when its successor runs."""


@dataclass(frozen=True)
class Strike:
    """One kill: ``after_s`` seconds after the last one; ``target`` chooses among the shards."""

    kind: Kind
    after_s: float
    target: int


def plan(kills: int, seed: int) -> list[Strike]:
    """``kills`` strikes at random moments, every kind with its share.

    >>> sorted({strike.kind for strike in plan(30, seed=1)})
    ['broker', 'driver', 'hang', 'redis', 'shard', 'store', 'zombie']
    """
    random = Random(seed)  # noqa: S311 - not a secret: a repeatable plan
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    drawn: list[Kind] = []
    while len(drawn) < kills:
        random.shuffle(kinds)
        drawn += kinds
    return [Strike(kind, round(random.uniform(0.1, 2.0), 2), random.randrange(1 << 16)) for kind in drawn[:kills]]
