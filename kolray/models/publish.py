"""Batch scoring: what the champions say of every KOL, to the stores that serving reads. All of it may be repeated."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from kolray.clock import Clock, SystemClock
from kolray.lake.reference import current
from kolray.lake.tables import LakeTables, Root
from kolray.lake.turns import lake_job
from kolray.models.lifecycle import complete_hours, newest_features
from kolray.models.registry import LoadedModel, ModelRegistry
from kolray.models.success.series import METRICS
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import SCORE_SCHEMA, MetricsStore

DAY = timedelta(days=1)
SEGMENTS = ("kol_id", "platform", "category")
"""Of ``ref.kols``: by what rankings are filtered."""


def publish_scores(lake_root: Root, registry: ModelRegistry, store: MetricsStore, lookup: FeatureStore) -> int:
    """Scores the newest features of every KOL with the champion; returns how many.

    Scores go to the metrics store and Redis, with the trust rankings; the features go to Redis. A champion that is new
    also scores what was known a day before, for the metrics store alone: who moved can be told from its first day on,
    as scores of two models cannot be compared.
    """
    with lake_job(lake_root):
        return _publish_scores(lake_root, registry, store, lookup)


def _publish_scores(lake_root: Root, registry: ModelRegistry, store: MetricsStore, lookup: FeatureStore) -> int:
    features, trust, clock = newest_features(lake_root), registry.load("trust"), SystemClock()
    scores = score_all(features, trust, clock)
    store.upsert_scores(scores)
    before = _unscored_before(LakeTables(lake_root), features["as_of"].max(), trust.label)  # type: ignore[arg-type]
    if before.height:
        store.upsert_scores(score_all(before, trust, clock))
    lookup.put_features(features)
    lookup.put_scores(scores, current(lake_root, "kols").select(SEGMENTS))
    return scores.height


def _unscored_before(tables: LakeTables, newest: datetime, model: str) -> pl.DataFrame:
    """Features of each KOL a day before the newest ones, or somewhat older, that a model has not scored yet."""
    recent = (pl.col("dt") >= (newest - 3 * DAY).date()) & (pl.col("as_of") <= newest - DAY)
    rows = tables.scan("gold.features").filter(recent).sort("as_of").unique("kol_id", keep="last")
    scored = tables.scan("gold.scores").filter(recent, pl.col("model") == model).select("kol_id", "as_of")
    return rows.join(scored, on=["kol_id", "as_of"], how="anti").drop("dt").sort("kol_id").collect()


def publish_rankings(lake_root: Root, lookup: FeatureStore) -> int:
    """Ranks the KOLs by ``engagement`` and ``growth`` (last 24 hours); returns how many have any.

    ``success``, the next 24 hours, is ranked with the forecasts (``forecast_pipeline``).
    """
    with lake_job(lake_root):
        newest = last_day(lake_root)
        lookup.place(current(lake_root, "kols").select(SEGMENTS))
        lookup.put_hours(newest)
        while lookup.sweep_rankings():
            pass  # those who were silent for a day, and where no stream runs
        return newest["kol_id"].n_unique()


def last_day(lake_root: Root) -> pl.DataFrame:
    """The last 24 complete hours of each KOL, as the stream's windows have them.

    Raises:
        NotFoundError: there are none yet.
    """
    return _over_platforms(complete_hours(lake_root, newest=DAY))


def _over_platforms(kpis: pl.DataFrame) -> pl.DataFrame:
    """Hours of KOLs as the stream's windows have them, of the lake's hours of KOLs on each platform."""
    seen = kpis.filter(pl.col("followers_first").is_not_null())
    followers = seen.group_by("kol_id", "hour").agg(
        pl.col("followers_first").sort_by("followers_first_ms").first(),
        pl.col("followers_last").sort_by("followers_last_ms").last(),
    )
    counts = kpis.group_by("kol_id", "hour").agg(pl.col(METRICS["engagement"]).sum())
    return counts.join(followers, on=["kol_id", "hour"], how="left").rename({"hour": "window_start"})


def score_all(features: pl.DataFrame, trust: LoadedModel, clock: Clock) -> pl.DataFrame:
    """``SCORE_SCHEMA`` of rows of ``gold.features``, each at its own ``as_of``."""
    started = clock.monotonic()
    scores = trust.model.score(features)
    runtime_ms = (clock.monotonic() - started) * 1000 / max(1, features.height)
    used = pl.struct(name for name in trust.model.feature_names if name in features.columns)
    scores = scores.with_columns(
        model=pl.lit(trust.label),
        as_of=features["as_of"],
        scored_at=pl.lit(clock.now()),
        runtime_ms=pl.lit(round(runtime_ms, 4)),
        features=features.select(used.struct.json_encode()).to_series(),
    )
    return scores.select(pl.col(name).cast(dtype) for name, dtype in SCORE_SCHEMA.items())
