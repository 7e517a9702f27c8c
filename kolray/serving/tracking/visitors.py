"""Who may be told apart, for a day: visitors by a salted hash, known bots, and hits that were seen already."""

from __future__ import annotations

import hmac
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from cachetools import TTLCache

REPEAT_S = 2.0
"""The same visitor, page, campaign and type within so many seconds is one hit: a page that fires twice."""
REMEMBERED = 200_000
REMEMBERED_S = 3600


def visitor_of(secret: bytes, address: str, agent: str, now: datetime) -> str:
    """A name for this visitor that holds until midnight (UTC): SHA-256 under a salt made of the secret and the date.

    Nobody can tell the visitors of two days to be the same, nor find an address without the secret.
    """
    salted = _salted(secret, now.date()).copy()  # a tenth of what a new one costs
    salted.update(f"{address}\n{agent}".encode(errors="replace"))
    return salted.hexdigest()[:32]


@lru_cache(maxsize=2)
def _salted(secret: bytes, day: date) -> hmac.HMAC:
    return hmac.new(hmac.digest(secret, f"{day:%Y-%m-%d}".encode(), "sha256"), digestmod="sha256")


@lru_cache(maxsize=10_000)
def is_bot(agent: str) -> bool:
    """Whether a ``User-Agent`` is one of a known crawler, or none at all."""
    return not agent.strip() or bool(_detector().isCrawler(agent[:512]))


@lru_cache(maxsize=1)
def _detector() -> Any:
    from crawlerdetect import CrawlerDetect

    return CrawlerDetect()


class Seen:
    """What this replica saw lately. Over replicas, the stream counts an ``event_id`` once."""

    def __init__(self) -> None:
        self._ids: TTLCache[str, bool] = TTLCache(REMEMBERED, REMEMBERED_S)
        self._hits: TTLCache[tuple[str, ...], bool] = TTLCache(REMEMBERED, REPEAT_S)

    def again(self, hit: dict[str, Any]) -> bool:
        """Whether it is one of before; from now on it is. Those without consent cannot be told apart but by id."""
        if hit["event_id"] in self._ids:
            return True
        self._ids[hit["event_id"]] = True
        if not hit["consent"] or hit["event_type"] == "conversion":  # two orders of a second may well be two
            return False
        same = (hit["visitor"], hit["url"], hit["campaign_id"], hit["kol_id"], hit["event_type"])
        if same in self._hits:
            return True
        self._hits[same] = True
        return False
