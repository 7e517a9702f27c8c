"""KOLs to be asked for: features in lake, metrics store and Redis, a trust model, and forecasts of the last batch."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from kolray.clock import SystemClock
from kolray.features import FEATURE_NAMES, FEATURE_SCHEMA
from kolray.lake.tables import LakeTables
from kolray.models.forecasts import RANKED
from kolray.models.lifecycle import submit, train
from kolray.models.publish import publish_scores
from kolray.models.registry import ModelRegistry
from kolray.settings import Settings
from kolray.stores.open import open_feature_store, open_metrics_store

LABELLED = 1_000
SEED = 1


def write_world(settings: Settings, n_kols: int) -> list[str]:
    """Returns the KOLs. Features are noise with a trace of the label: what a score costs does not depend on them."""
    kols = [f"kol_{n:06d}" for n in range(n_kols)]
    tables, registry = LakeTables(settings.lake_root), ModelRegistry.of(settings)
    now = SystemClock().now().replace(microsecond=0)
    chance = np.random.default_rng(SEED)
    fake = chance.random(n_kols) < 0.3
    values = {name: np.exp(chance.normal(0.3 * fake, 1.0)) for name in FEATURE_NAMES}
    rows = pl.DataFrame({"kol_id": kols, **values}).with_columns(as_of=pl.lit(now), dt=pl.lit(now.date()))
    rows.select(
        pl.col(name).cast(dtype, strict=False) for name, dtype in (FEATURE_SCHEMA | {"dt": pl.Date}).items()
    ).write_delta(str(tables.path("gold.features")))
    at = pl.lit(now - timedelta(days=1)).cast(pl.Datetime("ms", "UTC"))
    labels = pl.DataFrame({"kol_id": kols, "label": fake.astype(np.int8)}).head(LABELLED)
    labels.with_columns(source=pl.lit("bench"), at=at, valid_from=at).write_delta(str(tables.path("ref.labels")))
    known = pl.DataFrame({"kol_id": kols}).with_columns(
        platform=pl.lit("tiktok"), category=pl.lit("food"), tier=pl.lit("micro"), language=pl.lit("vi"), valid_from=at
    )
    known.write_delta(str(tables.path("ref.kols")))
    store, lookup = open_metrics_store(settings), open_feature_store(settings.redis)
    store.migrate()
    submit(registry, "trust", train("trust", settings.lake_root))
    publish_scores(settings.lake_root, registry, store, lookup)
    day = pl.lit([10.0] * 24)
    batch = pl.DataFrame({"kol_id": kols}).with_columns(
        metric=pl.lit(RANKED), origin=pl.lit(now), model=pl.lit("success:1"), value=day, lower=day, upper=day
    )
    lookup.put_forecasts(batch)
    return kols
