"""What replicas saw during a trial of a model, and which trial each of them runs; in Redis, for a while."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from kolray.stores.redis_client import RedisClient

KEPT, KEPT_S = 200_000, 24 * 3600
HERE_S = 10
"""A replica that said nothing for so long is gone."""
BEGIN = "0-0"


@dataclass(frozen=True)
class Evidence:
    """A KOL that was asked for: what each model said (None: it does not say it when asked), and who answered.

    ``failed``: the challenger could not answer what the champion could.
    """

    kol_id: str
    champion: float | None = None
    challenger: float | None = None
    by_challenger: bool = False
    failed: bool = False


class TrialLog(RedisClient):
    """Evidence by trial (``Trial.key``); what is older than a day is forgotten."""

    def add(self, key: str, evidence: Evidence) -> None:
        """Keeps one."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.xadd(f"trial:{key}", {"e": json.dumps(asdict(evidence))}, maxlen=KEPT, approximate=True)
        pipe.expire(f"trial:{key}", KEPT_S)
        with self._asking():
            pipe.execute()

    def read(self, key: str, after: str = BEGIN, count: int = 1000) -> tuple[str, list[Evidence]]:
        """The next ones, and where to go on."""
        with self._asking():
            entries = self._redis.xrange(f"trial:{key}", f"({after}", count=count)
        return (entries[-1][0].decode() if entries else after), [_of(fields[b"e"]) for _, fields in entries]

    def here(self, name: str, replica: str, state: str) -> None:
        """A replica says what it does; again every few seconds."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.sadd(f"trial:replicas:{name}", replica)
        pipe.set(f"trial:replica:{name}:{replica}", state, ex=HERE_S)
        with self._asking():
            pipe.execute()

    def states(self, name: str) -> dict[str, str]:
        """What the replicas that are there do."""
        with self._asking():
            replicas = sorted(self._redis.smembers(f"trial:replicas:{name}"))
            keys = [b"trial:replica:%s:%s" % (name.encode(), each) for each in replicas]
            said = dict(zip(replicas, self._redis.mget(keys), strict=True)) if keys else {}
            gone = [each for each, state in said.items() if state is None]
            if gone:
                self._redis.srem(f"trial:replicas:{name}", *gone)
        return {each.decode(): state.decode() for each, state in said.items() if state is not None}


def _of(text: bytes) -> Evidence:
    return Evidence(**json.loads(text))
