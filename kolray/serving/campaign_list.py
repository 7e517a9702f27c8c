"""All campaigns of the newest batch, with the tracked clicks that they gathered and will gather."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl

from kolray.lake.tables import LakeTables
from kolray.models.campaigns import OUTLOOK, POINTS
from kolray.serving.dashboard.report_data import CAMPAIGN_SORTS, CampaignRow, CampaignsPage
from kolray.serving.kept import Kept

KEEP_S = 30
BARS = 24
SHOWN = timedelta(days=7)
"""Hours before now that are drawn."""
METRIC = "clicks"
_KEY = ["campaign_id", "kol_id"]
_SHOWN = (
    *_KEY, "state", "start", "end", "budget", "currency", "lift", "lift_lower", "lift_upper", "roi", "engagement",
    "engagement_total",
)  # fmt: skip


class CampaignList:
    """Campaigns in pages.

    Args:
        erased: whether a KOL was erased, whatever the lake still holds.
    """

    def __init__(self, lake: LakeTables, erased: Callable[[str], bool]) -> None:
        self._lake, self._erased = lake, erased
        self._told = Kept(self._outlook, KEEP_S)
        self._clicks = Kept(self._hours, KEEP_S)
        self._points = Kept(self._ahead, KEEP_S)

    def page(self, state: str | None, sort: str, limit: int, offset: int) -> CampaignsPage:
        """Those of a state (None: all), by one of ``CAMPAIGN_SORTS``, the greatest first."""
        told = self._told.get()
        gone = [kol_id for kol_id in told["kol_id"].unique() if self._erased(kol_id)]
        told = told.filter(~pl.col("kol_id").is_in(gone))
        states = dict(told["state"].value_counts().iter_rows())
        chosen = told if state is None else told.filter(pl.col("state") == state)
        by = sort if sort in CAMPAIGN_SORTS else "start"
        rows = chosen.sort(by, *_KEY, descending=[True, False, False], nulls_last=True).slice(offset, limit)
        mine = self._clicks.get().join(chosen.select(_KEY), on=_KEY, how="semi")
        bars = bars_of(mine.join(rows.select(_KEY), on=_KEY, how="semi"))
        as_of: datetime | None = told["as_of"].max()  # type: ignore[assignment]
        return CampaignsPage(
            rows=[
                CampaignRow(**row, clicks=bars.get((row["campaign_id"], row["kol_id"]), ()))
                for row in rows.select(_SHOWN).to_dicts()
            ],
            total=chosen.height,
            states=states,
            sure=chosen.filter(pl.col("lift_lower") > 0).height,
            history=_summed(mine.filter(pl.col("at") >= as_of - SHOWN)) if as_of else [],
            forecast=_summed(self._points.get().join(chosen.select(_KEY), on=_KEY, how="semi")),
            as_of=as_of,
        )

    def _outlook(self) -> pl.DataFrame:
        """One row a campaign and KOL: ``_SHOWN`` and ``as_of``."""
        rows = self._lake.scan(OUTLOOK)
        newest = rows.filter(pl.col("as_of") == pl.col("as_of").max().over(_KEY))
        engaged = newest.filter(pl.col("metric") == "engagement").rename({"actual": "engagement"})
        engaged = engaged.with_columns(engagement_total="total")
        # What is expected of one that runs, what came of one that is over.
        worth = pl.when(pl.col("state") == "running").then(pl.col("total")).otherwise(pl.col("actual"))
        returned = newest.filter(pl.col("metric") == "roi").select(*_KEY, roi=worth)
        return engaged.join(returned, on=_KEY, how="left").select(*_SHOWN, "as_of").collect()

    def _hours(self) -> pl.DataFrame:
        rows = self._lake.scan("gold.campaign_hourly")
        return rows.select(*_KEY, at="hour", value=pl.col("web_clicks").cast(pl.Float64)).collect()

    def _ahead(self) -> pl.DataFrame:
        rows = self._lake.scan(POINTS)
        newest = rows.filter((pl.col("metric") == METRIC) & (pl.col("as_of") == pl.col("as_of").max()))
        return newest.select(*_KEY, "at", "value").collect()


def bars_of(hours: pl.DataFrame) -> dict[tuple[str, str], list[float]]:
    """Clicks of each campaign in up to ``BARS`` equal parts of the time from its first hour to its last."""
    first, last = (getattr(pl.col("at"), side)().over(_KEY) for side in ("min", "max"))
    step = ((last - first).dt.total_hours() / BARS).ceil().clip(1)
    part = ((pl.col("at") - first).dt.total_hours() // step).cast(pl.Int64)
    sums = hours.with_columns(part=part).group_by(*_KEY, "part").agg(pl.col("value").sum())
    found: dict[tuple[str, str], list[float]] = {}
    for campaign_id, kol_id, at, value in sums.sort(*_KEY, "part").iter_rows():
        bars = found.setdefault((campaign_id, kol_id), [])
        bars += [0.0] * (at - len(bars))
        bars.append(value)
    return found


def _summed(hours: pl.DataFrame) -> list[tuple[datetime, float]]:
    return list(hours.group_by("at").agg(pl.col("value").sum()).sort("at").iter_rows())
