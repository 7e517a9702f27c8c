"""What is known of KOLs besides their series: who they are, how far they are trusted, and which campaigns they run.

Every row says since when it was known, so that a forecast of the past sees what it could have seen then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

import polars as pl

from kolray.clock import EPOCH
from kolray.events import TIME, Columns, conform
from kolray.lake.reference import recorded
from kolray.lake.tables import LakeTables, Root

KOLS: Columns = {"kol_id": pl.String, "known_at": TIME, **dict.fromkeys(("tier", "platform", "category"), pl.String)}
TRUST: Columns = {"kol_id": pl.String, "known_at": TIME, "trust_score": pl.Float64}
CAMPAIGNS: Columns = {
    "kol_id": pl.String,
    "campaign_id": pl.String,
    "known_at": TIME,
    "start": TIME,
    "end": TIME,
    "budget": pl.Float64,
    "category": pl.String,
    "phases": pl.String,
}


@dataclass(frozen=True)
class Covariates:
    """Frames as ``KOLS``, ``TRUST`` (0-100) and ``CAMPAIGNS``; of several rows of one key the newest known holds.

    A KOL that is in none of them is forecast from its series alone.
    """

    kols: pl.DataFrame
    trust: pl.DataFrame
    campaigns: pl.DataFrame

    @staticmethod
    def none() -> Covariates:
        """Nothing is known of anybody."""
        return Covariates(*(pl.DataFrame(schema=columns) for columns in (KOLS, TRUST, CAMPAIGNS)))

    @staticmethod
    def of(kols: pl.DataFrame, scores: pl.DataFrame, campaigns: pl.DataFrame) -> Covariates:
        """From rows of ``ref.kols`` and ``ref.campaigns`` with ``valid_from``, and of ``gold.scores``.

        Who a KOL is holds from the beginning as first recorded. A campaign is known since it was recorded, and at the
        latest when it starts: one that was entered too late was no secret while it ran. A score is known once given.
        """
        first = pl.col("valid_from") == pl.col("valid_from").min().over("kol_id")
        told = kols.with_columns(known_at=pl.when(first).then(pl.lit(EPOCH).cast(TIME)).otherwise("valid_from"))
        key = ("campaign_id", "kol_id")
        earliest = pl.min_horizontal("valid_from", "start")
        first = pl.col("valid_from") == pl.col("valid_from").min().over(key)
        booked = campaigns.with_columns(known_at=pl.when(first).then(earliest).otherwise("valid_from"))
        given = scores.with_columns(known_at=pl.max_horizontal("as_of", "scored_at"))
        frames = ((told, KOLS), (given, TRUST), (booked, CAMPAIGNS))
        return Covariates(*(frame.select(conform(columns, frame.columns)) for frame, columns in frames))

    def without(self, campaign_id: str) -> Covariates:
        """The same as if this campaign had never been booked."""
        return Covariates(self.kols, self.trust, self.campaigns.filter(pl.col("campaign_id") != campaign_id))


def lake_covariates(
    root: Root,
    versions: Mapping[str, int] = MappingProxyType({}),
    mine: pl.Expr | None = None,
    scored_days: int | None = None,
) -> Covariates:
    """From the lake's tables in their newest or given versions.

    Args:
        mine: true of the KOLs that are wanted; none: all.
        scored_days: so many of the newest days of ``gold.scores``; none: all.
    """
    mine = pl.lit(True) if mine is None else mine
    kols, campaigns = (
        recorded(root, name, versions.get(f"ref.{name}")).filter(mine).collect() for name in ("kols", "campaigns")
    )
    scores = LakeTables(root).scan("gold.scores", versions.get("gold.scores"))
    if scored_days is not None:  # asked by itself: then older days' files are not even opened
        newest = scores.select(pl.col("dt").max()).collect().item()
        scores = scores.filter(pl.col("dt") > newest - timedelta(days=scored_days)) if newest else scores
    columns = ("kol_id", "as_of", "scored_at", "trust_score")
    return Covariates.of(kols, scores.filter(mine).select(columns).collect(), campaigns)
