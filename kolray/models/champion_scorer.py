"""Scores beside the stream: the trust champion of the moment, on the features that serving would use."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from kolray.clock import Clock, SystemClock
from kolray.events import TIME
from kolray.lake.reference import current
from kolray.lake.tables import LakeTables
from kolray.models.champions import Champions
from kolray.models.publish import SEGMENTS, score_all
from kolray.models.registry import ModelRegistry
from kolray.settings import Settings
from kolray.stores.features import FeatureStore
from kolray.stores.open import open_feature_store

KOLS, FEATURES = "ref.kols", "gold.features"


class ChampionScorer:
    """A ``BatchScorer``; like serving, it takes features from Redis, and from the lake those that Redis lacks.

    Args:
        champions: refreshed before a batch, at most every few seconds.
        lake: read again only where a table has a new version.
    """

    def __init__(self, champions: Champions, lookup: FeatureStore, lake: LakeTables, clock: Clock) -> None:
        self._champions, self._lookup, self._lake, self._clock = champions, lookup, lake, clock
        self._kols = pl.DataFrame(schema=dict.fromkeys(SEGMENTS, pl.String))
        self._unknown: set[str] = set()
        self._versions: dict[str, int] = {}

    def score(self, kol_ids: list[str]) -> pl.DataFrame:
        """See ``BatchScorer``. The score of the same features by the same model is not made twice."""
        self._champions.keep_fresh()
        trust = self._champions.get("trust")
        features = self._features(kol_ids, trust.model.feature_names)
        done = self._lookup.scored(features["kol_id"].to_list()).filter(model=trust.label)
        scores = score_all(features.join(done, on=["kol_id", "as_of"], how="anti"), trust, self._clock)
        if self._changed(KOLS):
            self._kols = current(self._lake.root, "kols").select(SEGMENTS)
        return scores.join(self._kols, on="kol_id", how="left")

    def _features(self, kol_ids: list[str], names: Sequence[str]) -> pl.DataFrame:
        """``kol_id, as_of`` and the model's features, of the KOLs that have any."""
        held = self._lookup.get_feature_rows(kol_ids, names)
        if self._changed(FEATURES):
            self._unknown = set()
        missing = set(kol_ids) - set(held["kol_id"]) - self._unknown
        if not missing:
            return held
        rows = self._lake.scan(FEATURES).filter(pl.col("kol_id").is_in(missing)).sort("as_of")
        newest = rows.unique("kol_id", keep="last").with_columns(pl.col("as_of").cast(TIME)).collect()
        self._unknown |= missing - set(newest["kol_id"])
        known = newest.select("kol_id", "as_of", *(name for name in names if name in newest.columns))
        return pl.concat([held, known], how="diagonal")

    def _changed(self, table: str) -> bool:
        """Whether a table has another version than when this was last asked."""
        version = self._lake.table(table).version() if self._lake.exists(table) else -1
        before, self._versions[table] = self._versions.get(table), version
        return version != before and version >= 0


def champion_scorer(settings: Settings) -> ChampionScorer:
    """A scorer on the servers the settings name; nothing is asked before its first batch."""
    registry = ModelRegistry.of(settings)
    champions = Champions(registry, names=("trust",))
    lookup, lake = open_feature_store(settings.redis), LakeTables(settings.lake_root)
    return ChampionScorer(champions, lookup, lake, SystemClock())
