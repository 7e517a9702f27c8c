"""Scoring and forecasting without a transport: the same object serves HTTP, the dashboard and tests."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import datetime, timedelta

import polars as pl

from kolray.clock import Clock
from kolray.errors import NotFoundError, ServiceUnavailableError
from kolray.features.window_metrics import ratio_exprs
from kolray.lake.tables import LakeTables
from kolray.models.champions import Champions
from kolray.models.forecasts import RANKED
from kolray.models.registry import LoadedModel
from kolray.models.reproduce import score_known
from kolray.models.success.design import HOURLY
from kolray.models.success.series import METRICS
from kolray.serving.contracts import ForecastAnswer, ForecastPoint, ScoreAnswer
from kolray.serving.explained import explained, score_answer
from kolray.serving.feature_sources import Features
from kolray.serving.lookup import FeatureLookup
from kolray.serving.open_windows import with_open_windows
from kolray.stores.features import FeatureStore
from kolray.stores.metrics import MetricsStore
from kolray.stream.denied import DenyList

log = logging.getLogger(__name__)
RECENT = timedelta(hours=48)
"""A history whose newest hour is older is forecast from where it ends, not from now."""


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
    ) -> None:
        self.champions, self.lookup, self.store, self.lake, self.clock = champions, lookup, store, lake, clock
        self._denied, self.features = denied, features.features

    def refuse_erased(self, kol_id: str) -> None:
        """Whatever a cache or a store still holds.

        Raises:
            NotFoundError: the KOL was erased; the words are those for a KOL that nobody ever heard of.
        """
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
        trust = self.champions.get("trust")
        if as_of is not None and given is None:
            trust, features = self._known(kol_id, as_of, trust)
        else:
            features = given or self.features(kol_id)
        scored = trust.model.answer(features.row).row(0, named=True)
        more = explained(trust.model, features.row) if explain else {}
        expected = self._expected(kol_id) if as_of is None else None
        return score_answer(scored, features, trust.label, expected, self.clock.now(), as_of, **more)

    def _known(self, kol_id: str, as_of: datetime, champion: LoadedModel) -> tuple[LoadedModel, Features]:
        """The model and the features of a KOL at a time."""
        kept = score_known(self.lake, self.store, kol_id, as_of)
        with suppress(NotFoundError):  # that version may have been deleted
            if kept is not None:
                used = pl.DataFrame([{"kol_id": kol_id, **json.loads(kept["features"])}])
                return self.champions.version(kept["model"]), Features(used, kept["as_of"], "lake")
        return champion, self.features(kol_id, as_of)

    def forecast(self, kol_id: str, metric: str = "engagement", horizon_h: int = 24) -> ForecastAnswer:
        """The next hours of one metric.

        Raises:
            NotFoundError: no hourly windows of this KOL, or no model yet.
            InvalidInputError: a metric the model was not trained for.
        """
        self.refuse_erased(kol_id)
        success = self.champions.get("success")
        history = self.hourly(kol_id, metric)
        if not history.height:
            raise NotFoundError(f"no hourly windows of the KOL {kol_id!r}: nothing to forecast from")
        hour = self.clock.now().replace(minute=0, second=0, microsecond=0)
        origin = hour if history["at"].max() >= hour - RECENT else None  # type: ignore[operator]
        points = success.model.forecast(history, metric, horizon_h, origin=origin)
        return ForecastAnswer(
            kol_id=kol_id,
            metric=metric,
            model=success.label,
            points=[ForecastPoint(**p) for p in points.select("at", "value", "lower", "upper").to_dicts()],
        )

    def _expected(self, kol_id: str) -> float | None:
        """Interactions expected in 24 hours: the batch forecast in Redis, else made now; None without hours."""
        with suppress(ServiceUnavailableError):
            held = self.lookup.get_forecast(kol_id, RANKED)
            if held is not None:
                return round(sum(held.value), 1)
        try:
            return round(sum(point.value for point in self.forecast(kol_id).points), 1)
        except NotFoundError:
            return None

    def hourly(self, kol_id: str, metric: str = "engagement") -> pl.DataFrame:
        """``kol_id, at, value`` of the KOL's hourly windows, from the stream's own rows."""
        end = self.clock.now() + timedelta(hours=1)
        rows = self.store.windows(kol_id, "1h", end - timedelta(hours=HOURLY.lookback + 1), end)
        columns = METRICS.get(metric, (metric,))
        known = [column for column in columns if column in rows.columns]
        value = pl.sum_horizontal(known) if known else pl.lit(0)
        return rows.select("kol_id", at="window_start", value=value)

    def windows(self, kol_id: str, window: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Window rows with their ratios, oldest first; those still open are not ``final``."""
        self.refuse_erased(kol_id)
        return with_open_windows(self.store, kol_id, window, start, end).with_columns(ratio_exprs())
