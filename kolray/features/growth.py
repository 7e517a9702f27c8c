"""Features of follower growth against reach: from consecutive profiles and the impressions between them."""

from __future__ import annotations

import polars as pl

from kolray.features.feature import Feature, share

SOURCE = "steps"
_FEW = "fewer than four steps between profiles with followers, or all alike"


def prepare(profiles: pl.LazyFrame, increments: pl.LazyFrame) -> pl.LazyFrame:
    """Steps from one profile with followers to the next, oldest first: ``gain`` of followers, ``reached`` impressions.

    ``usual`` is the median of the KOL's ``reached``.
    """
    reached = increments.select("kol_id", "event_time", total=pl.col("impressions").cum_sum().over("kol_id"))
    reached = reached.group_by("kol_id", "event_time").agg(pl.col("total").last()).sort("event_time")
    seen = profiles.filter(pl.col("followers").is_not_null()).select("kol_id", "event_time", "followers")
    seen = seen.sort("event_time", maintain_order=True).join_asof(
        reached, on="event_time", by="kol_id", check_sortedness=False
    )
    steps = seen.sort("kol_id", "event_time", maintain_order=True).select(
        "kol_id",
        gain=pl.col("followers").diff().over("kol_id").cast(pl.Float64),
        reached=pl.col("total").fill_null(0).diff().over("kol_id").cast(pl.Float64),
    )
    steps = steps.filter(pl.col("gain").is_not_null())
    return steps.with_columns(usual=pl.col("reached").median().over("kol_id"))


_GAIN, _REACHED = pl.col("gain"), pl.col("reached")
_UP = _GAIN.clip(lower_bound=0)

FEATURES = (
    Feature(
        "gain_reach_correlation", "correlation", -1, 1, SOURCE, _FEW,
        "Correlation of followers gained between two profiles with the impressions meanwhile.",
        pl.when(pl.len() > 3).then(pl.corr(_GAIN, _REACHED)).fill_nan(None).clip(-1.0, 1.0),
    ),
    Feature(
        "gain_per_impression", "accounts", 0, None, SOURCE, "no impressions between profiles",
        "Followers gained for each impression.", share(_UP.sum(), _REACHED.clip(lower_bound=0).sum()),
    ),
    Feature(
        "gain_quiet_share", "share", 0, 1, SOURCE, "followers never grew",
        "Gains of the steps with less reach than usual over all gains: who is bought needs no reach.",
        share(_UP.filter(pl.col("usual") > _REACHED).sum(), _UP.sum()),
    ),
    Feature(
        "gain_burst", "ratio", 0, None, SOURCE, "fewer than two steps, or the usual one changes nothing",
        "The largest gain of a step over the usual change of one.",
        pl.when(pl.len() > 1).then(share(_UP.max(), _GAIN.abs().median())),
    ),
)  # fmt: skip
