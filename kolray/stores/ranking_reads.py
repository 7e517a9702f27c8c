"""A page of a ranking, asked for on an event loop."""

from __future__ import annotations

from kolray.stores.rankings import SEGMENTS, Asked, RankingPage, page_of
from kolray.stores.redis_loop import LoopRedis


async def ranking_page(redis: LoopRedis, asked: Asked) -> RankingPage:
    """What ``Rankings.rankings`` answers.

    Raises:
        ServiceUnavailableError: Redis is away.
    """
    first, last = asked.offset, asked.offset + asked.limit - 1
    total, held = await redis.ask(("ZCARD", asked.key), ("ZREVRANGE", asked.key, first, last, "WITHSCORES"))
    if held and isinstance(held[0], bytes):  # flat in the second version of Redis' protocol, pairs in the third
        held = [*zip(held[::2], held[1::2], strict=True)]
    [segments] = await redis.ask(("HMGET", SEGMENTS, *[kol for kol, _ in held])) if held else [[]]
    return page_of(total, held, segments)
