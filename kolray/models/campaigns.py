"""The batch of campaigns: what the lake knows in, ``gold.campaign_outlook`` and ``gold.campaign_forecasts`` out.

Campaigns that ended a while ago are left as they were told last; requests read the newest row of each.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from kolray.errors import NotFoundError
from kolray.lake.commit import replace_days
from kolray.lake.overlap import next_turn, until_undisturbed
from kolray.lake.parts import write_parts
from kolray.lake.reference import current
from kolray.lake.tables import TABLES, LakeTables
from kolray.lake.turns import takes_turn
from kolray.models.forecasts import lake_origin
from kolray.models.success.campaigns.counterfactual import LOOKBACK_H
from kolray.models.success.campaigns.lift import MAX_CONTROLS
from kolray.models.success.campaigns.outlook import Known, look_ahead
from kolray.settings import Settings

OUTLOOK, POINTS = "gold.campaign_outlook", "gold.campaign_forecasts"
OVER_DAYS = 28
"""Days after its end in which a campaign is still made again, as late events come in, and teaches others."""
MAX_DAYS = 90
"""Days of hours that are looked back at; of an older campaign that still runs less is known."""
_HOURS = ("kol_id", "hour", "impressions", "likes", "comments", "shares")


@takes_turn
def forecast_campaigns(settings: Settings) -> dict[str, Any]:
    """``store_outlook`` of the settings' lake."""
    return store_outlook(LakeTables(settings.lake_root))


def store_outlook(tables: LakeTables) -> dict[str, Any]:
    """Makes the outlook of the lake's newest whole hour that of its day, in one commit a table. May be repeated.

    Returns:
        ``origin`` (the first hour that is not known), ``campaigns``, and table → rows written.

    Raises:
        NotFoundError: no hours in the lake yet, or no campaigns.
        ConflictError: other runs were faster at each try.
    """
    done: dict[str, Any] = {}

    def undisturbed() -> bool:
        turns = {name: next_turn(tables.transaction(name, f"{name}/replaced")) for name in (POINTS, OUTLOOK)}
        now = lake_origin(tables)
        outlook, points = look_ahead(known_of(tables, now), now)
        # The outlook last: whoever finds a new one finds its hours too.
        for name, rows in ((POINTS, points), (OUTLOOK, outlook)):
            parts = write_parts(name, tables.path(name), rows.with_columns(dt=pl.lit(now.date())))
            turn = {f"{name}/replaced": turns[name]}
            if not replace_days(name, tables.path(name), parts, [now.date()], turn):
                return False
            done[name] = rows.height
        done.update(origin=now.isoformat(), campaigns=outlook.select("campaign_id", "kol_id").n_unique())
        return True

    until_undisturbed(OUTLOOK, undisturbed)
    return done


def known_of(tables: LakeTables, now: datetime) -> Known:
    """What the lake holds about the campaigns that are not long over, and about KOLs to compare theirs with.

    Raises:
        NotFoundError: there is no campaign that is not long over.
    """
    over = now - timedelta(days=OVER_DAYS)
    campaigns = current(tables.root, "campaigns").filter((pl.col("end") >= over).fill_null(value=True))
    if not campaigns.height:
        raise NotFoundError(f"the lake at {tables.root} holds no campaigns; `kolray ingest campaigns FILE` brings them")
    first: datetime | None = campaigns["start"].min()  # type: ignore[assignment]
    since = max((first or now) - timedelta(hours=LOOKBACK_H), now - timedelta(days=MAX_DAYS)).date()
    mine = campaigns["kol_id"].unique()
    ids = tables.scan("gold.kpi_daily").filter(pl.col("dt") >= over.date()).select(pl.col("kol_id").unique().sort())
    others = ids.filter(~pl.col("kol_id").is_in(mine.implode())).collect()["kol_id"]
    controls = others.sample(min(len(others), MAX_CONTROLS), seed=0)
    wanted = pl.concat([mine, controls])
    hours = tables.scan("gold.kpi_hourly").filter((pl.col("dt") >= since) & pl.col("kol_id").is_in(wanted.implode()))
    hits = tables.scan("gold.campaign_hourly").filter(pl.col("dt") >= since)
    return Known(campaigns, hits.collect(), hours.select(_HOURS).collect(), current(tables.root, "kols"))


def newest_outlook(tables: LakeTables, campaign_id: str) -> pl.DataFrame:
    """The newest rows of one campaign in ``gold.campaign_outlook``, of all of its KOLs; empty where there are none."""
    rows = tables.scan(OUTLOOK).filter(pl.col("campaign_id") == campaign_id).collect()
    return rows.filter(pl.col("as_of") == pl.col("as_of").max().over("kol_id")).drop("dt")


def newest_points(tables: LakeTables, campaign_id: str, kol_id: str, as_of: datetime) -> pl.DataFrame:
    """The hours that were forecast of a campaign and KOL at a time."""
    mine = (pl.col("campaign_id") == campaign_id) & (pl.col("kol_id") == kol_id) & (pl.col("dt") == as_of.date())
    rows = tables.scan(POINTS).filter(mine).collect()
    return rows.filter(pl.col("as_of") == as_of).select(*TABLES[POINTS]).drop("dt").sort("metric", "at")
