"""Gold: KPIs by hour, day and week of KOLs, platforms and campaigns, by the same definitions as the stream's windows.

Pure: silver rows of one day in, gold rows of that day out. What a day's rows are depends on that day alone, so any day
can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from kolray.features.window_metrics import FOLLOWERS_RANGE, SUMS, VELOCITY, VISITORS, WEB_RATIOS, ratio_exprs
from kolray.lake.tables import TABLES
from kolray.stream.windows import (
    WindowSpec,
    conform_panes,
    merge_panes,
    pane_aggregate,
    web_sums,
    windows_of,
)

HOUR = WindowSpec.parse("1h")
GROUP_ROWS = 65_536
"""Events of a day taken together, roughly."""
_DAY = ["kol_id", "platform", "dt"]
Tables = dict[str, pl.DataFrame]


def day_tables(social: pl.DataFrame, web: pl.DataFrame, kols: pl.DataFrame) -> Tables:
    """Table → rows of one day, from silver's rows of that day.

    Args:
        kols: ``ref.kols``. Web events name no platform: they count for the one that most of the KOL's social events of
            the day are on, else for that of ``kols``, else for null.
    """
    parts = [_hours_and_days(*events, kols) for events in _in_groups(social, web)]
    hours = pl.concat(hours for hours, _ in parts).sort("kol_id", "platform", "hour")
    days = pl.concat(days for _, days in parts).sort(_DAY)
    return {
        "gold.kpi_hourly": hours,
        "gold.kpi_daily": days,
        "gold.platform_daily": platform_daily(days),
        "gold.campaign_hourly": campaign_hourly(web),
        "gold.campaign_daily": campaign_daily(web),
    }


def _in_groups(social: pl.DataFrame, web: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Events of some KOLs at a time: what is made of a busy day on the way is several times its size."""
    groups = 1 + (social.height + web.height) // GROUP_ROWS
    for group in range(groups):
        mine = pl.col("kol_id").hash() % groups == group
        yield social.filter(mine), web.filter(mine)


def _hours_and_days(social: pl.DataFrame, web: pl.DataFrame, kols: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    hours = hourly(social, web, kols)
    days = _rolled_up(hours, _DAY).join(_posts(social), on=_DAY, how="left", nulls_equal=True)
    return hours, days.with_columns(pl.col("posts").fill_null(0)).select(*TABLES["gold.kpi_daily"])


def hourly(social: pl.DataFrame, web: pl.DataFrame, kols: pl.DataFrame) -> pl.DataFrame:
    """``gold.kpi_hourly``; see ``day_tables``."""
    placed = web.join(_platforms(social, kols), on="kol_id", how="left")
    parts = [_hours_of_platform(social, placed, name) for name in _names(social, placed)]
    rows = pl.concat(parts) if parts else _hours_of_platform(social, placed, None)
    rows = rows.with_columns(*ratio_exprs(), dt=pl.col("hour").dt.date())
    return rows.select(*TABLES["gold.kpi_hourly"])


def _platforms(social: pl.DataFrame, kols: pl.DataFrame) -> pl.DataFrame:
    """``kol_id, platform``: where web events of a KOL count."""
    seen = social.group_by("kol_id").agg(pl.col("platform").drop_nulls().mode().sort().first())
    return pl.concat([seen, kols.select("kol_id", "platform")]).unique("kol_id", keep="first", maintain_order=True)


def _names(social: pl.DataFrame, web: pl.DataFrame) -> list[str | None]:
    return pl.concat([social["platform"], web["platform"]]).unique().sort().to_list()


def _hours_of_platform(social: pl.DataFrame, web: pl.DataFrame, platform: str | None) -> pl.DataFrame:
    """Hour windows of one platform's events."""
    mine = pl.col("platform").eq_missing(platform)
    parts = [
        pane_aggregate("social", social.filter(mine), HOUR.size_ms),
        pane_aggregate("web", web.filter(mine), HOUR.size_ms),
    ]
    panes = merge_panes([conform_panes(part) for part in parts])
    rows = windows_of(panes, HOUR, width_ms=HOUR.size_ms)
    return rows.rename({"window_start": "hour"}).with_columns(platform=pl.lit(platform, pl.String))


def weekly(days: pl.DataFrame) -> pl.DataFrame:
    """``gold.kpi_weekly`` from ``gold.kpi_daily`` rows of whole ISO weeks; ``dt`` is the week's Monday."""
    weeks = days.with_columns(pl.col("dt").dt.truncate("1w"))
    return _rolled_up(weeks, _DAY).select(*TABLES["gold.kpi_weekly"]).sort(_DAY)


def _posts(social: pl.DataFrame) -> pl.DataFrame:
    """``posts``: on how many posts of a KOL and platform something happened that day."""
    day = pl.col("event_time").dt.date().alias("dt")
    return social.group_by("kol_id", "platform", day).agg(
        posts=pl.col("post_id").drop_nulls().n_unique().cast(pl.Int64)
    )


def _rolled_up(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Rows of longer times from rows of shorter ones, none of which overlap."""
    low, high = FOLLOWERS_RANGE
    merged = rows.group_by(key).agg(
        pl.col(SUMS).sum(),
        pl.col("followers_first").sort_by("followers_first_ms", nulls_last=True).first(),
        pl.col("followers_first_ms").min(),
        pl.col("followers_last").sort_by("followers_last_ms", nulls_last=False).last(),
        pl.col("followers_last_ms").max(),
        pl.col(low).min(),
        pl.col(high).max(),
    )
    return merged.with_columns(ratio_exprs())


def platform_daily(days: pl.DataFrame) -> pl.DataFrame:
    """``gold.platform_daily`` from ``gold.kpi_daily``: sums over KOLs; ``kols`` counts those with any event."""
    merged = days.group_by("platform", "dt").agg(pl.col("kol_id").n_unique().alias("kols"), pl.col(SUMS).sum())
    ratios = [ratio for ratio in ratio_exprs() if ratio.meta.output_name() != VELOCITY]
    return merged.with_columns(ratios).select(*TABLES["gold.platform_daily"]).sort("dt", "platform")


def campaign_hourly(web: pl.DataFrame) -> pl.DataFrame:
    """``gold.campaign_hourly``: as ``campaign_daily``, by the hour."""
    hour = pl.col("event_time").dt.truncate("1h").alias("hour")
    rows = _of_campaigns(web, hour).with_columns(dt=pl.col("hour").dt.date())
    return rows.select(*TABLES["gold.campaign_hourly"]).sort("campaign_id", "kol_id", "hour")


def campaign_daily(web: pl.DataFrame) -> pl.DataFrame:
    """``gold.campaign_daily``: what tracked pages saw of a campaign and KOL.

    ``value`` is the sum over conversions in ``currency``; both are null where conversions have several currencies.
    """
    rows = _of_campaigns(web, pl.col("event_time").dt.date().alias("dt"))
    return rows.select(*TABLES["gold.campaign_daily"]).sort("campaign_id", "kol_id")


def _of_campaigns(web: pl.DataFrame, time: pl.Expr) -> pl.DataFrame:
    """Sums and ratios of each campaign, KOL and ``time``."""
    sold = pl.col("event_type").eq("conversion") & pl.col("value").is_not_null()
    one = pl.col("currency").filter(sold).n_unique() <= 1
    merged = (
        web.sort("event_id")  # floats add up to the same only in the same order
        .group_by("campaign_id", "kol_id", time, maintain_order=True)
        .agg(
            *web_sums(),
            pl.col("visitor").filter(pl.col("visitor") != "").n_unique().alias(VISITORS),
            pl.when(one).then(pl.col("value").filter(sold).sum()).alias("value"),
            pl.when(one).then(pl.col("currency").filter(sold).first()).alias("currency"),
        )
    )
    return merged.with_columns([ratio for ratio in ratio_exprs() if ratio.meta.output_name() in WEB_RATIOS])
