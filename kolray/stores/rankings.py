"""Rankings in Redis: who is best by trust, success, engagement or growth; of a platform, a category, or both.

Keys: ``rank:{by}``, ``rank:{by}:p:{platform}``, ``rank:{by}:c:{category}`` and ``rank:{by}:pc:{segment}`` are sorted
sets, a segment being platform and category; the hash ``ranking:segments`` tells each KOL's; ``hours:{kol}`` is the ring
of its last 24 hours, ``ranking:hour`` the newest hour of all, ``ranking:due`` (sorted set) when a KOL's oldest is over.

Who writes: ``trust`` the stream when it scores, and the batch (the LOWER bound of the interval); ``success`` the batch
(interactions forecast for the next 24 hours); ``engagement`` and ``growth`` the stream when an hour closes, and the
batch from the lake's hours, by the same script. Event time counts throughout: a replay ranks as the day itself did.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Literal, NamedTuple, get_args

import polars as pl

from kolray.settings import RedisSettings
from kolray.stores.redis_client import PIPELINE, RedisClient
from kolray.stores.redis_connection import RedisConnection

RankBy = Literal["trust", "success", "engagement", "growth"]
"""``trust``: lower bound, 0–100. ``success``: interactions expected in 24 h. ``engagement``: likes, comments and shares
of the last 24 complete hours. ``growth``: followers gained in these over those at their start, a share (0.05 is 5 %).
"""
BYS: tuple[RankBy, ...] = get_args(RankBy)
SEGMENTS, SPLIT = "ranking:segments", "\x1f"
HOUR_MS = 3_600_000
KOLS, SWEEPS = 5, 2000
"""KOLs that one call of the script ranks, 50 to 100 µs each, in which Redis does nothing else: a page may wait for two
such calls. Loading all takes 1.6 times as long by 5 as by 20. And calls of a sweep."""
_INTERACTIONS = ("likes", "comments", "shares")


class Asked(NamedTuple):
    """Places of a ranking: ``limit`` of them from ``offset`` (0 = the best) on, of a platform, a category, or both."""

    by: RankBy
    platform: str | None = None
    category: str | None = None
    limit: int = 20
    offset: int = 0

    @property
    def key(self) -> str:
        """The sorted set of the KOLs that are asked for."""
        everyone = f"rank:{self.by}"
        if self.platform and self.category:
            return f"{everyone}:pc:{self.platform}{SPLIT}{self.category}"
        if self.platform or self.category:
            return f"{everyone}:p:{self.platform}" if self.platform else f"{everyone}:c:{self.category}"
        return everyone


class Ranked(NamedTuple):
    """A place in a ranking; ``platform`` and ``category`` are None where unknown."""

    kol_id: str
    value: float
    platform: str | None
    category: str | None


class RankingPage(NamedTuple):
    """Some places of a ranking, best first, and how many it has. Of equal values the greater id stands first."""

    total: int
    rows: list[Ranked]


class Rankings(RedisClient):
    """The ranking part of the feature store."""

    def __init__(self, settings: RedisSettings, connection: RedisConnection | None = None) -> None:
        super().__init__(settings, connection)
        self._script = self._redis.register_script(files(__package__).joinpath("rankings.lua").read_text())

    def place(self, kols: pl.DataFrame) -> None:
        """``kol_id, platform, category`` (the last two may be null): rankings held follow a KOL that moved."""
        names = [
            pl.col(name).fill_null("") if name in kols.columns else pl.lit("") for name in ("platform", "category")
        ]
        rows = kols.select("kol_id", segment=pl.concat_str(names, separator=SPLIT)).filter(pl.col("segment") != SPLIT)
        self._run("place", ",".join(BYS), rows.rows())

    def put_ranking(self, by: RankBy, frame: pl.DataFrame, *, whole: bool = False) -> None:
        """``kol_id, value`` and perhaps ``platform, category``: higher is better; null leaves what is held.

        Args:
            whole: the frame is everyone; who is not in it, or null there, leaves the ranking.
        """
        if "platform" in frame.columns:
            self.place(frame)
        known = frame.select("kol_id", pl.col("value").cast(pl.Float64)).drop_nulls()
        if whole:
            held = pl.Series(self._members(by), dtype=pl.String)
            self._run("drop", by, [(kol,) for kol in held.filter(~held.is_in(known["kol_id"].implode()))])
        self._run("put", by, known.rows())

    def put_hours(self, rows: pl.DataFrame) -> None:
        """Hour windows (``kol_id, window_start``, counts and followers of ``WINDOW_SCHEMA``) for engagement and growth.

        An hour that is there already is replaced; one older than a day before the newest of all is left out.
        """
        if not rows.height:
            return
        hours = rows.select(
            "kol_id",
            hour=pl.col("window_start").dt.epoch("ms") // HOUR_MS,
            interactions=pl.sum_horizontal(_INTERACTIONS),
            first=pl.col("followers_first").fill_null(-1),
            last=pl.col("followers_last").fill_null(-1),
        ).unique(["kol_id", "hour"], keep="last", maintain_order=True)
        newest = hours["hour"].max()
        day = hours.filter(pl.col("hour") > pl.lit(newest) - 24).sort("kol_id", "hour")
        self._run("hours", str(newest), day.rows())

    def sweep_rankings(self) -> int:
        """Ranks anew KOLs of whom an hour is more than a day old by now, some thousands at most; returns how many."""
        total = 0
        with self._asking():
            for _ in range(SWEEPS):
                done = int(self._script(args=["sweep", KOLS]))
                total += done
                if done < KOLS:
                    break
        return total

    def _run(self, work: str, what: str, rows: list[tuple[Any, ...]]) -> None:
        with self._asking():  # one call after the other: of those sent together Redis runs several at a stretch
            for at in range(0, len(rows), KOLS):
                self._script(args=[work, what, *(value for row in rows[at : at + KOLS] for value in row)])

    def rankings(
        self, by: RankBy, platform: str | None = None, limit: int = 20, category: str | None = None, offset: int = 0
    ) -> RankingPage:
        """The places from ``offset`` (0 = the best) on, at most ``limit``."""
        key = Asked(by, platform, category).key
        with self._asking():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zcard(key)
            pipe.zrevrange(key, offset, offset + limit - 1, withscores=True)
            total, held = pipe.execute()
            segments = self._redis.hmget(SEGMENTS, [kol for kol, _ in held]) if held else []
        return page_of(total, held, segments)

    def places(self, by: RankBy, kol_ids: Sequence[str]) -> dict[str, tuple[int, float]]:
        """Rank among all (1 = the best) and value of those who are ranked."""
        with self._asking():
            pipe = self._redis.pipeline(transaction=False)
            for kol_id in kol_ids:
                pipe.zrevrank(Asked(by).key, kol_id)
                pipe.zscore(Asked(by).key, kol_id)
            held = pipe.execute()
        found = zip(kol_ids, held[::2], held[1::2], strict=True)
        return {kol_id: (rank + 1, value) for kol_id, rank, value in found if rank is not None}

    def _members(self, by: RankBy) -> list[str]:
        with self._asking():  # some at a time: all at once Redis would do nothing else for half a second
            return [kol.decode() for kol in {kol for kol, _ in self._redis.zscan_iter(f"rank:{by}", count=PIPELINE)}]

    def _forget_ranks(self, kol_id: str) -> int:
        ranked = sum(self._redis.zrem(key, kol_id) for key in self._ranking_keys())
        return int(ranked) + int(self._redis.hdel(SEGMENTS, kol_id))

    def _rank_traces(self, kol_id: str) -> int:
        ranked = sum(self._redis.zscore(key, kol_id) is not None for key in self._ranking_keys())
        return int(ranked) + int(self._redis.hexists(SEGMENTS, kol_id))

    def _ranking_keys(self) -> list[bytes]:
        return [*self._redis.scan_iter("rank:*", count=PIPELINE), b"ranking:due"]


def page_of(total: int, held: list[tuple[bytes, bytes | float]], segments: list[bytes | None]) -> RankingPage:
    """Of ids with their values, as Redis gives them, and what ``SEGMENTS`` says of each."""
    pairs = zip(held, segments, strict=True)
    return RankingPage(total, [Ranked(kol.decode(), float(value), *_of(segment)) for (kol, value), segment in pairs])


def _of(segment: bytes | None) -> tuple[str | None, str | None]:
    platform, _, category = (segment or b"").decode().partition(SPLIT)
    return platform or None, category or None
