"""Forecasts as answers: the batch's from Redis while nothing newer is known, else made now from the stream's hours."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import reduce
from operator import add

import numpy as np
import polars as pl

from kolray.clock import Clock
from kolray.errors import NotFoundError, ServiceUnavailableError
from kolray.models.forecasts import LOOKBACK, RANKED
from kolray.models.registry import LoadedModel
from kolray.models.success.origin import forecast_origin
from kolray.models.success.series import HOUR, METRICS, hours_of_one
from kolray.serving.canary import Canary
from kolray.serving.contracts import ForecastAnswer, ForecastPoint
from kolray.serving.surroundings import Surroundings
from kolray.stores.features import FeatureStore
from kolray.stores.forecasts import HeldForecast, Progress
from kolray.stores.metrics import MetricsStore


class Forecasting:
    """Forecasts of one KOL and metric at a time."""

    def __init__(
        self, canary: Canary, lookup: FeatureStore, store: MetricsStore, about: Surroundings, clock: Clock
    ) -> None:
        self.canary, self._lookup, self._store = canary, lookup, store
        self._about, self._clock = about, clock

    def forecast(self, kol_id: str, metric: str, horizon_h: int) -> ForecastAnswer:
        """The hours after the last whole one that is known.

        Raises:
            NotFoundError: neither hours nor a batch forecast of this KOL, or no model yet.
            InvalidInputError: a metric the model was not trained for, or a horizon beyond its own.
            ServiceUnavailableError: neither store answers.
        """
        return self.canary.by(kol_id, lambda success: self._forecast(success, kol_id, metric, horizon_h))

    def _forecast(self, success: LoadedModel, kol_id: str, metric: str, horizon_h: int) -> ForecastAnswer:
        held, progress = self._kept(kol_id, metric)
        known = None if progress is None else forecast_origin(*progress)
        if held and known and held.model == success.label and held.origin >= known:
            return self._batch(kol_id, metric, horizon_h, held)
        try:
            hours = self.hours(kol_id, metric)
        except ServiceUnavailableError:
            if held is None:
                raise
            hours = pl.DataFrame()
        if hours.height:
            return self._computed(success, kol_id, metric, horizon_h, hours, _origin(hours, progress, known))
        if held is None:
            raise NotFoundError(f"no hourly windows of the KOL {kol_id!r}: nothing to forecast from")
        return self._batch(kol_id, metric, horizon_h, held)

    def expected(self, kol_id: str) -> float | None:
        """Interactions expected in 24 hours: by the newest batch, else made now; None without hours or a model, and
        while Redis is away: one that is made now takes as long as many scores.
        """
        try:
            held = self._lookup.get_forecast(kol_id, RANKED)
            if held is not None:
                return held.total
            return round(sum(point.value for point in self.forecast(kol_id, RANKED, 24).points), 1)
        except (NotFoundError, ServiceUnavailableError):
            return None

    def hours(self, kol_id: str, metric: str) -> pl.DataFrame:
        """``at, value`` of a metric in the KOL's hourly windows, as far back as forecasts look."""
        end = self._clock.now() + HOUR
        columns = METRICS.get(metric, METRICS[RANKED])
        rows = self._store.windows(kol_id, "1h", end - LOOKBACK - HOUR, end, ("window_start", *columns))
        value = reduce(
            add, (rows[column] for column in columns)
        )  # of columns in memory: a query would cost as much again
        return pl.DataFrame({"at": rows["window_start"], "value": value})

    def _kept(self, kol_id: str, metric: str) -> tuple[HeldForecast | None, Progress | None]:
        with suppress(ServiceUnavailableError):
            return self._lookup.get_forecast_and_progress(kol_id, metric)
        return None, None

    def _computed(
        self, success: LoadedModel, kol_id: str, metric: str, horizon_h: int, hours: pl.DataFrame, origin: datetime
    ) -> ForecastAnswer:
        values = hours["value"].to_numpy().astype(np.float64)
        series = hours_of_one(kol_id, hours["at"].to_numpy(), values, origin, success.model.design.lookback)
        made = success.model.forecast_series(series, metric, horizon_h, self._about.of(kol_id))
        points = _points(origin, *(part[0].tolist() for part in made))
        return self._answer(kol_id, metric, success.label, origin, points, "computed")

    def _batch(self, kol_id: str, metric: str, horizon_h: int, held: HeldForecast) -> ForecastAnswer:
        points = _points(held.origin, held.value, held.lower, held.upper)[:horizon_h]
        return self._answer(kol_id, metric, held.model, held.origin, points, "batch")

    def _answer(
        self, kol_id: str, metric: str, model: str, origin: datetime, points: list[ForecastPoint], source: str
    ) -> ForecastAnswer:
        age_s = round((self._clock.now() - origin).total_seconds(), 1)
        return ForecastAnswer(
            kol_id=kol_id, metric=metric, model=model, origin=origin, source=source, age_s=age_s, points=points
        )


def _origin(hours: pl.DataFrame, progress: Progress | None, known: datetime | None) -> datetime:
    """After the last whole hour of all; after the KOL's own newest where nothing is known of others.

    Of marks that are older than what the KOL itself shows nothing can be learnt: a Redis that lost its memory.
    """
    newest: datetime = hours["at"].max()  # type: ignore[assignment]
    stale = progress is None or progress.newest_event < newest
    return newest + HOUR if known is None or stale else known


def _points(origin: datetime, value: list[float], lower: list[float], upper: list[float]) -> list[ForecastPoint]:
    rows = enumerate(zip(value, lower, upper, strict=True))
    return [ForecastPoint(at=origin + timedelta(hours=h), value=v, lower=lo, upper=up) for h, (v, lo, up) in rows]
