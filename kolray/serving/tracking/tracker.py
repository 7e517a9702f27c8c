"""Takes hits: reads them, leaves out bots and repeats, and hands the others to the outbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from kolray.clock import Clock
from kolray.serving.tracking.hits import Caller, Hit, RefusedError, read_hit
from kolray.serving.tracking.outbox import Outbox
from kolray.serving.tracking.visitors import Seen, is_bot, visitor_of


@dataclass(frozen=True)
class Taken:
    """What became of the hits of a request: ``accepted + filtered + len(refused)`` are as many as came.

    ``filtered``: bots and repeats. ``refused``: place in the request → why. ``sent``: done when Kafka has the others.
    """

    accepted: int
    filtered: int
    refused: dict[int, str]
    sent: Future[None] | None


@dataclass
class Tracker:
    """One for each replica. ``counts``: hits so far by ``accepted, bot, repeat, refused``."""

    outbox: Outbox
    secret: bytes
    clock: Clock
    seen: Seen = field(default_factory=Seen)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, hits: Sequence[Any], caller: Caller) -> Taken:
        """Takes the hits of one request.

        Raises:
            ServiceUnavailableError: there is no room to keep them; none was taken.
        """
        now = self.clock.now()
        visitor = visitor_of(self.secret, caller.address, caller.agent, now)
        kept: list[Hit] = []
        refused: dict[int, str] = {}
        filtered: Counter[str] = Counter()
        bot = is_bot(caller.agent)
        for place, said in enumerate(hits):
            try:
                hit = read_hit(_fields(said), caller, now, visitor)
            except RefusedError as error:
                refused[place] = str(error)
                continue
            if bot:
                filtered["bot"] += 1
            elif self.seen.again(hit):
                filtered["repeat"] += 1
            else:
                kept.append(hit)
        sent = self.outbox.put(kept) if kept else None
        self.counts.update({"accepted": len(kept), "refused": len(refused), **filtered})
        return Taken(len(kept), filtered.total(), refused, sent)


def _fields(said: Any) -> Mapping[str, Any]:
    if not isinstance(said, Mapping):
        raise RefusedError("not an object")
    return said
