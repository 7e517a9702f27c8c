"""How well a generated world can be forecast at all: by who knows its law, but not what is yet to be drawn.

That forecaster knows each KOL's traits, campaigns and events, and the last post before the origin. It does not know
when the next post comes (its glow enters as expected), nor the noise of an hour, the counts' own randomness, or
whether a poll fails.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.connectors.generator.cohort import AFTERGLOW_H
from kolray.models.metrics import Floats
from kolray.models.success.world import KpiWorld

TRAITS = (
    "followers",
    "reach",
    "rate",
    "response",
    "comment_ratio",
    "share_ratio",
    "view_share",
    "web_click",
    "web_sale",
    "platform",
)
FADE = float(np.exp(-1.0 / AFTERGLOW_H))


def law_forecast(known: KpiWorld, metric: str, ids: list[str], origin: np.datetime64, horizon: int) -> Floats:
    """(KOLs, hours) of a metric for the ``horizon`` hours from ``origin`` on (UTC)."""
    laws = _hours(known.law, ids, origin, horizon)
    traits = pl.DataFrame({"kol_id": ids}).join(known.world.traits.select("kol_id", *TRAITS), "kol_id", "left")
    own = {name: traits[name].to_numpy()[:, None] for name in TRAITS}
    if metric in ("clicks", "conversions"):
        visits = np.log10(own["followers"]) * (laws["course"] * 0.5 * laws["running"])[:, 1:]
        return visits * (own["web_sale"] if metric == "conversions" else own["web_click"])
    glow = _expected_glow(laws["glow"][:, 0], laws["chance"][:, 1:])
    level = laws["course"][:, 1:] * laws["awake"][:, 1:] * (1 + own["response"] * glow)
    impressions = np.maximum(1.0, own["followers"] * own["reach"] / 24 * level)
    shares = np.where(own["platform"] == "youtube", 0.0, own["share_ratio"])
    likes = impressions * own["rate"]
    views = np.where(own["platform"] == "weibo", 0.0, own["view_share"]) * impressions
    return {"engagement": likes * (1 + own["comment_ratio"] + shares), "impressions": impressions, "views": views}[
        metric
    ]


def _expected_glow(newest: Floats, chance: Floats) -> Floats:
    """Of each hour ahead: a post makes it 1, else it fades."""
    out, glow = np.empty_like(chance), newest
    for hour in range(chance.shape[1]):
        glow = chance[:, hour] + (1 - chance[:, hour]) * glow * FADE
        out[:, hour] = glow
    return out


def _hours(law: pl.DataFrame, ids: list[str], origin: np.datetime64, horizon: int) -> dict[str, NDArray[np.float64]]:
    """Each column of ``hour_law`` as (KOLs, the newest hour before the origin and ``horizon`` from it on)."""
    first = pl.lit(origin).dt.replace_time_zone("UTC") - pl.duration(hours=1)
    mine = law.filter(pl.col("hour").is_between(first, first + pl.duration(hours=horizon)))
    wanted = pl.DataFrame({"kol_id": ids}).with_row_index("place").join(mine, "kol_id", "left").sort("place", "hour")
    names = ("course", "awake", "glow", "chance", "running")
    return {name: wanted[name].cast(pl.Float64).to_numpy().reshape(len(ids), horizon + 1) for name in names}
