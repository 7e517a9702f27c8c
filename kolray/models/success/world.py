"""Hourly KPIs of a frozen generated world, straight from the generator, with the law they were drawn by.

No Kafka and no lake: a cohort at a time, a day at a time, by the lake's own definition of an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from kolray.connectors.generator import World, WorldConfig, build_world
from kolray.connectors.generator.cohort import Cohort, Hour
from kolray.connectors.generator.stream import events_of
from kolray.events import TIME
from kolray.lake.gold import hourly
from kolray.lake.silver import with_signals
from kolray.models.success.covariates import Covariates
from kolray.models.success.series import METRICS
from kolray.models.worlds import FrozenWorld, checked_world, kept_cohorts

_END = datetime(2026, 1, 12, tzinfo=UTC)
WORLDS: dict[str, FrozenWorld] = {
    "weeks": FrozenWorld(
        WorldConfig(2_000, 42 * 24, 5101, _END, duplicate_share=0, invalid_share=0), "36baaedf7fd20d22"
    ),
}
COUNTS = tuple(column for columns in METRICS.values() for column in columns)


@dataclass(frozen=True)
class KpiWorld:
    """``kpi``: ``kol_id, hour`` and the counts of ``METRICS``; ``law`` as ``hour_law``; ``world``: who the KOLs are."""

    kpi: pl.DataFrame
    law: pl.DataFrame
    world: World

    def covariates(self) -> Covariates:
        """Who the KOLs are and their campaigns, all booked before the first hour. The world gives no trust scores."""
        known = pl.lit(self.world.config.start).cast(TIME).alias("valid_from")
        scores = pl.DataFrame(schema={"kol_id": pl.String, "as_of": TIME, "scored_at": TIME, "trust_score": pl.Float64})
        return Covariates.of(self.world.kols.with_columns(known), scores, self.world.campaigns.with_columns(known))


def kpi_world(name: str, home: Path) -> KpiWorld:
    """A world of ``WORLDS``; its hours are kept below ``home`` for the next time.

    Raises:
        InvalidInputError: no such world, or the generator makes another one now.
    """
    frozen = checked_world(WORLDS, name)
    stem = home / "worlds" / f"{name}-{frozen.frozen}"
    kpi, law = kept_cohorts(stem, ("kpi", "law"), cohort_hours, frozen.config)
    return KpiWorld(kpi, law, build_world(frozen.config))


def cohort_hours(config: WorldConfig, number: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(hourly counts, ``hour_law``) of one cohort; an event counts for its hour, however late it comes."""
    world = build_world(config, range(number, number + 1))
    cohort, kpis, laws = Cohort(world, number), [], []
    for start in range(0, config.hours, 24):
        social, web = [], []
        for hour in (Hour(cohort, number) for number in range(start, min(start + 24, config.hours))):
            laws.append(hour_law(hour))
            made = events_of(hour)
            social.append(made["social"].filter(pl.col("event_type") != "comment"))
            web.append(made["web"])
        typed = [pl.concat(part).with_columns(pl.col("event_time").cast(TIME)) for part in (social, web)]
        rows = hourly(with_signals("social", typed[0], None), typed[1], world.kols)
        kpis.append(rows.group_by("kol_id", "hour").agg(pl.col(COUNTS).sum()).sort("kol_id", "hour"))
    return pl.concat(kpis), pl.concat(laws)


def hour_law(hour: Hour) -> pl.DataFrame:
    """What the counts of an hour are drawn from.

    ``course`` (time of day, event and campaign; mean 1); ``awake`` (0-1); ``glow`` of the last post (1: fresh);
    ``chance`` of a post; ``running``: a campaign does.
    """
    cohort = hour.cohort
    running = pl.Series(range(hour.n)).is_in(cohort.campaigns["index"][hour.running].tolist())
    at = cohort.config.start + timedelta(hours=hour.hour)
    return pl.DataFrame(
        {
            "kol_id": cohort.kol_id,
            "hour": pl.repeat(at, hour.n, dtype=TIME, eager=True),
            "course": hour.seasonal * hour.boost,
            "awake": hour.awake,
            "glow": hour.glow,
            "chance": hour.chance,
            "running": running,
        }
    )
