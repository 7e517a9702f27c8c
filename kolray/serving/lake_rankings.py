"""Rankings of the lake's last tables, for as long as Redis is away: older than the live ones, and they say so."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import polars as pl

from kolray.clock import Clock
from kolray.errors import ServiceUnavailableError
from kolray.lake.reference import current
from kolray.lake.tables import LakeTables
from kolray.models.forecasts import expected_day, newest_origin
from kolray.models.publish import SEGMENTS, last_day
from kolray.models.success.series import HOUR, METRICS
from kolray.serving.kept import Kept
from kolray.stores.rankings import BYS, Asked, RankBy, Ranked, RankingPage

log = logging.getLogger(__name__)
KEEP_S = 60
SCORED = timedelta(days=3)
"""Who was not scored for so long before the newest score of all is not ranked by trust."""


class Places(NamedTuple):
    """``kol_id, value, platform, category``, best first, and the time that the values describe."""

    rows: pl.DataFrame
    as_of: datetime


class LakeRankings:
    """Each ranking is made when it is asked for, and again when it is a minute old.

    Args:
        budget_s: how long a request waits for one that is being made; the next request may find it.
    """

    def __init__(self, lake: LakeTables, clock: Clock, budget_s: float) -> None:
        self._lake, self._clock, self._budget_s = lake, clock, budget_s
        self._held = {by: Kept(partial(self._make, by), KEEP_S) for by in BYS}
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="lake rankings")

    def page(self, asked: Asked, away: ServiceUnavailableError) -> tuple[RankingPage, float]:
        """The page, and the age of what it ranks by in seconds.

        Raises:
            ServiceUnavailableError: ``away``, why Redis was not asked: the lake has nothing, or takes too long.
        """
        places = self._made(asked.by, away)
        chosen = places.rows
        for name, value in (("platform", asked.platform), ("category", asked.category)):
            chosen = chosen if value is None else chosen.filter(pl.col(name) == value)
        rows = [Ranked(*row) for row in chosen.slice(asked.offset, asked.limit).iter_rows()]
        age_s = (self._clock.now() - places.as_of).total_seconds()
        return RankingPage(chosen.height, rows), round(age_s, 1)

    def _made(self, by: RankBy, away: ServiceUnavailableError) -> Places:
        making = self._maker.submit(self._held[by].get)
        try:
            places = making.result(self._budget_s)
        except TimeoutError as error:
            making.cancel()
            raise away from error
        except Exception as error:  # Delta's, Polars' and the store's own too
            log.warning("the lake has no ranking by %s: %s", by, error)
            raise away from error
        if places is None:
            raise away
        return places

    def _make(self, by: RankBy) -> Places | None:
        """None: the lake's table is empty."""
        values, as_of = {"trust": self._trust, "success": self._success}.get(by, partial(self._day, by))()
        if as_of is None:
            return None
        known = current(self._lake.root, "kols").select(SEGMENTS)
        rows = values.drop_nulls("value").join(known, on="kol_id", how="left")
        return Places(rows.sort("value", "kol_id", descending=True).select("kol_id", "value", *SEGMENTS[1:]), as_of)

    def _trust(self) -> tuple[pl.DataFrame, datetime | None]:
        scores = self._lake.scan("gold.scores")
        newest: datetime | None = scores.select(pl.col("as_of").max()).collect().item()
        if newest is None:
            return pl.DataFrame(), None
        since = newest - SCORED
        recent = scores.filter(pl.col("dt") >= since.date(), pl.col("as_of") > since)
        last = pl.col("lower").sort_by("as_of", "scored_at").last()
        return recent.group_by("kol_id").agg(value=last).collect(), newest

    def _success(self) -> tuple[pl.DataFrame, datetime | None]:
        origin = newest_origin(self._lake)
        return (pl.DataFrame(), None) if origin is None else (expected_day(self._lake, origin).collect(), origin)

    def _day(self, by: RankBy) -> tuple[pl.DataFrame, datetime | None]:
        """``engagement`` or ``growth`` as ``rankings.lua`` has them."""
        rows = last_day(self._lake.root).sort("window_start")
        first, last = pl.col("followers_first").drop_nulls().first(), pl.col("followers_last").drop_nulls().last()
        value = pl.sum_horizontal(METRICS["engagement"]).sum()
        if by == "growth":
            value = pl.when(first > 0).then((last - first) / first)
        end: datetime = rows["window_start"].max() + HOUR  # type: ignore[operator,assignment]
        return rows.group_by("kol_id").agg(value=value.cast(pl.Float64)), end
