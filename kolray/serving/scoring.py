"""Scoring and forecasting without a transport: the same object serves HTTP, the dashboard and tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import polars as pl
from prometheus_client import CollectorRegistry

from kolray.clock import Clock
from kolray.errors import NotFoundError
from kolray.features.window_metrics import ratio_exprs
from kolray.lake.tables import LakeTables
from kolray.models.champions import Champions
from kolray.models.registry import LoadedModel
from kolray.models.reproduce import score_known
from kolray.observability.asked import about
from kolray.observability.catalog import CATALOG
from kolray.serving.canary import Canary
from kolray.serving.contracts import ForecastAnswer, ScoreAnswer
from kolray.serving.explained import explained, score_answer
from kolray.serving.feature_sources import Features
from kolray.serving.forecasting import Forecasting
from kolray.serving.lookup import FeatureLookup
from kolray.serving.open_windows import with_open_windows
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import MetricsStore
from kolray.stream.denied import DenyList


class ScoringGraph:
    """Looks features up, scores with the champions, says where everything came from."""

    def __init__(
        self,
        champions: Champions,
        lookup: FeatureStore,
        store: MetricsStore,
        lake: LakeTables,
        clock: Clock,
        denied: DenyList,
        features: FeatureLookup,
        forecasting: Forecasting,
        canary: Canary,
    ) -> None:
        self.champions, self.lookup, self.store, self.lake, self.clock = champions, lookup, store, lake, clock
        self._denied, self.sources, self.features = denied, features, features.features
        self.forecasting, self.canary = forecasting, canary
        self.registry = CollectorRegistry()
        self._told = CATALOG["kolray_success_forecast_interactions"].histogram(self.registry)

    def refuse_erased(self, kol_id: str) -> None:
        """Whatever a cache or a store still holds.

        Raises:
            NotFoundError: the KOL was erased; the words are those for a KOL that nobody ever heard of.
        """
        about(kol_id)  # every question about a KOL passes here
        if self.erased(kol_id):
            raise NotFoundError(f"nothing is known about the KOL {kol_id!r}")

    def erased(self, kol_id: str) -> bool:
        """Whether the KOL is on the deny-list, whatever a store still holds."""
        self._denied.look()
        return self._denied.has(kol_id)

    def score(
        self, kol_id: str, as_of: datetime | None = None, *, explain: bool = False, given: Features | None = None
    ) -> ScoreAnswer:
        """The trust score of a KOL, from features ``given`` or those that are known.

        With ``as_of`` it is the newest score made by then, on its features and by its model version; where none was,
        what the champion says of the lake's features of then. What was forecast then is not kept.

        Raises:
            NotFoundError: unknown KOL, or no model yet.
        """
        self.refuse_erased(kol_id)
        if as_of is not None and given is None:
            trust, features = self._known(kol_id, as_of, self.champions.get("trust"))
            return self._said(trust, trust.model.answer_one(kol_id, features.values), features, None, as_of, explain)
        features = given or self.features(kol_id)
        expected = self.forecasting.expected(kol_id) if as_of is None else None
        trust, scored = self.canary.answer(kol_id, features.values)
        return self._said(trust, scored, features, expected, as_of, explain)

    def score_on(self, kol_id: str, features: Features, expected: float | None, *, explain: bool) -> ScoreAnswer:
        """``score`` of what was looked up already, ``success_forecast`` too.

        Raises:
            NotFoundError: no model yet.
        """
        trust, scored = self.canary.answer(kol_id, features.values)
        return self._said(trust, scored, features, expected, None, explain)

    def _said(
        self,
        trust: LoadedModel,
        scored: Mapping[str, Any],
        features: Features,
        expected: float | None,
        as_of: datetime | None,
        explain: bool,
    ) -> ScoreAnswer:
        self.count(expected)
        more = explained(trust.model, features.values) if explain else {}
        return score_answer(scored, features, trust.label, expected, self.clock.now(), as_of, **more)

    def count(self, expected: float | None) -> None:
        """That an answer told these interactions in 24 hours, if it did."""
        if expected is not None:
            self._told.observe(expected)

    def fresh(self, as_of: datetime) -> bool:
        """Whether features of then are as new as they are kept for."""
        return self.clock.now() - as_of <= self.lookup.feature_ttl

    def erasures_due(self) -> bool:
        """Whether the next question about a KOL reads the deny-list again, which takes a while."""
        return self._denied.due()

    def _known(self, kol_id: str, as_of: datetime, champion: LoadedModel) -> tuple[LoadedModel, Features]:
        """The model and the features of a KOL at a time."""
        kept = score_known(self.lake, self.store, kol_id, as_of)
        with suppress(NotFoundError):  # that version may have been deleted
            if kept is not None:
                used = json.loads(kept["features"])
                return self.champions.version(kept["model"]), Features(used, kept["as_of"], "lake")
        return champion, self.features(kol_id, as_of)

    def forecast(self, kol_id: str, metric: str = "engagement", horizon_h: int = 24) -> ForecastAnswer:
        """The next hours of one metric; errors are those of ``Forecasting``."""
        self.refuse_erased(kol_id)
        return self.forecasting.forecast(kol_id, metric, horizon_h)

    def hourly(self, kol_id: str, metric: str = "engagement") -> pl.DataFrame:
        """``at, value`` of the KOL's hourly windows, from the stream's own rows."""
        return self.forecasting.hours(kol_id, metric)

    def windows(self, kol_id: str, window: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Window rows with their ratios, oldest first; those still open are not ``final``."""
        self.refuse_erased(kol_id)
        return with_open_windows(self.store, kol_id, window, start, end).with_columns(ratio_exprs())
