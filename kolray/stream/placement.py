"""Which node each shard is put on, so that a node that dies takes as few of them with it as can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kolray.clock import Clock

AVOID_S = 20.0
"""Ray takes a lost node for alive until it has missed it for a while (15 s by default): meanwhile it would look
like the emptiest."""


class Placement:
    """Where each shard was put.

    >>> from kolray.clock import SystemClock
    >>> placement = Placement(SystemClock())
    >>> [placement.choose(shard, ["a", "b"]) for shard in range(3)]
    ['a', 'b', 'a']
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[int, str] = {}
        self._lost_at: dict[str, float] = {}

    def choose(self, shard: int, nodes: Sequence[str]) -> str | None:
        """The node with the fewest shards, the first of equals; where one was just lost only if there is no other.

        Args:
            nodes: those that can take a shard; none: nothing is known, and nothing chosen.
        """
        self._of.pop(shard, None)
        since = self._clock.monotonic() - AVOID_S
        good = [node for node in nodes if self._lost_at.get(node, since) <= since] or list(nodes)
        if not good:
            return None
        held = Counter(self._of.values())
        self._of[shard] = min(good, key=lambda node: held[node])
        return self._of[shard]

    def lost(self, shard: int) -> None:
        """A shard ended where it was not to."""
        node = self._of.pop(shard, None)
        if node is not None:
            self._lost_at[node] = self._clock.monotonic()
