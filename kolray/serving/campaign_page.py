"""What the campaign's page shows, from the newest batch and the KOL's measured hours."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from kolray.errors import NotFoundError
from kolray.lake.reference import current
from kolray.serving.campaigns import CampaignDesk
from kolray.serving.dashboard.campaign_data import CampaignPage
from kolray.serving.dashboard.data import CampaignLink, ForecastPoint
from kolray.serving.kept import Kept
from kolray.serving.scoring import ScoringGraph

BEFORE = timedelta(days=1)
"""Measured hours that are shown before a campaign."""
METRIC = "engagement"
KEEP_S = 30
"""Seconds the reference table is kept in memory."""


class CampaignPages:
    """Pages of campaigns over a scoring graph."""

    def __init__(self, graph: ScoringGraph) -> None:
        self._graph = graph
        self._desk = CampaignDesk(graph.lake, graph.clock, graph.erased)
        self._booked = Kept(lambda: _by_start(current(graph.lake.root, "campaigns")), KEEP_S)

    def page(self, campaign_id: str, kol_id: str | None) -> CampaignPage | None:
        """A campaign with one of its KOLs (none: the first); None where no batch knows of it."""
        try:
            told = self._desk.answer(campaign_id)
        except NotFoundError:
            return None
        mine = next((of_kol for of_kol in told.kols if kol_id in (None, of_kol.kol_id)), None)
        if mine is None:
            return None
        try:
            points = self._desk.forecast(campaign_id, mine.kol_id, METRIC, 24).points
        except NotFoundError:
            points = []
        hours = self._graph.hourly(mine.kol_id, METRIC).filter(pl.col("at") < told.as_of)
        if mine.start is not None:
            hours = hours.filter(pl.col("at") >= mine.start - BEFORE)
        if mine.end is not None:
            hours = hours.filter(pl.col("at") < mine.end)
        return CampaignPage(
            campaign_id=campaign_id,
            told=mine,
            others=[of_kol.kol_id for of_kol in told.kols if of_kol is not mine],
            as_of=told.as_of,
            age_s=told.age_s,
            hourly=list(hours.select("at", pl.col("value").cast(pl.Float64)).iter_rows()),
            forecast=[ForecastPoint(p.at, p.value, p.lower, p.upper) for p in points],
        )

    def of_kol(self, kol_id: str) -> list[CampaignLink]:
        """The KOL's campaigns as booked, the newest start first."""
        mine = self._booked.get().filter(pl.col("kol_id") == kol_id)
        return [CampaignLink(*row) for row in mine.select("campaign_id", "start", "end").iter_rows()]


def _by_start(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("start", descending=True, nulls_last=True)
