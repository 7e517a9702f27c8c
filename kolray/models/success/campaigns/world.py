"""Hours of a frozen generated world as gold would hold them, straight from the generator, a cohort at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kolray.connectors.generator import World, WorldConfig, batches, build_world
from kolray.events import COUNTS
from kolray.lake.gold import campaign_hourly
from kolray.models.success.world import WORLDS as WEEKS
from kolray.models.trust.worlds import WORLDS
from kolray.models.worlds import checked_world, kept_cohorts


@dataclass(frozen=True)
class CampaignWorld:
    """``kpi``: ``kol_id, hour`` and the counts of social events; ``hits``: ``gold.campaign_hourly``."""

    world: World
    kpi: pl.DataFrame
    hits: pl.DataFrame


def campaign_world(name: str, home: Path) -> CampaignWorld:
    """A frozen world, of trust or of success; its hours are kept below ``home`` for the next time.

    Raises:
        InvalidInputError: no such world, or the generator makes another one now.
    """
    frozen = checked_world({**WORLDS, **WEEKS}, name)
    stem = home / "worlds" / f"{name}-{frozen.frozen}"
    kept = kept_cohorts(stem, ("reactions", "hits"), cohort_hours, frozen.config)
    return CampaignWorld(build_world(frozen.config), *kept)


def cohort_hours(config: WorldConfig, cohort: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``kpi`` and ``hits`` of one cohort, of a world without events that come twice or break a rule."""
    kpi, hits = [], []
    for batch in batches(build_world(config, range(cohort, cohort + 1))):
        hour = pl.col("event_time").dt.truncate("1h").alias("hour")
        kpi.append(batch.social.group_by("kol_id", hour).agg(pl.col(COUNTS).sum()))
        hits.append(batch.web)
    # An event that came late is in another hour's batch.
    hours = pl.concat(kpi).group_by("kol_id", "hour").agg(pl.col(COUNTS).sum())
    return hours.sort("kol_id", "hour"), campaign_hourly(pl.concat(hits))
