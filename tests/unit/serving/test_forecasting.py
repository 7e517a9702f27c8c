"""Which hours a served forecast rests on, where it begins, and when the batch's is given instead."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from kolray.errors import InvalidInputError, NotFoundError, ServiceUnavailableError
from kolray.lake.tables import LakeTables
from kolray.models.registry import LoadedModel
from kolray.serving.canary import Canary
from kolray.serving.forecasting import Forecasting
from kolray.serving.surroundings import Surroundings
from kolray.stores.forecasts import HeldForecast, Progress
from kolray.stores.metrics import WINDOW_SCHEMA, Version
from kolray.testing.clock import FakeClock
from kolray.testing.stores import MemoryStore
from tests.hourly import START, kpi_hourly
from tests.unit.models.test_success import TRAINED

KOL, HOUR = "kol-0007", timedelta(hours=1)
END = START + 96 * HOUR
NOW = END + 7 * HOUR


class Redis:
    """The part of the feature store that forecasts ask."""

    def __init__(self, held: HeldForecast | None = None, progress: Progress | None = None) -> None:
        self.held, self._progress = held, progress

    def get_forecast(self, kol_id: str, metric: str) -> HeldForecast | None:
        return self.held if (kol_id, metric) == (KOL, "engagement") else None

    def get_forecast_and_progress(self, kol_id: str, metric: str) -> tuple[HeldForecast | None, Progress | None]:
        return self.get_forecast(kol_id, metric), self._progress


class Champions:
    def get(self, name: str) -> LoadedModel:
        return LoadedModel(TRAINED.model, name, 3)


def _store(hours: pl.DataFrame) -> MemoryStore:
    counts = {name: pl.col(name) if name in hours.columns else pl.lit(0) for name in WINDOW_SCHEMA}
    counts |= {"window": pl.lit("1h"), "window_start": pl.col("hour"), "final": pl.lit(value=True)}
    store = MemoryStore()
    store.upsert_windows(hours.select(*(e.cast(WINDOW_SCHEMA[n]).alias(n) for n, e in counts.items())), Version(1, 1))
    return store


def _made(tmp_path, redis: Redis, hours: pl.DataFrame | None = None, store: MemoryStore | None = None) -> Forecasting:
    mine = kpi_hourly().filter(pl.col("kol_id") == KOL) if hours is None else hours
    about = Surroundings(LakeTables(str(tmp_path)))
    return Forecasting(Canary(Champions(), name="success"), redis, store or _store(mine), about, FakeClock(NOW))


def _held(origin: datetime, model: str = "success:3") -> HeldForecast:
    return HeldForecast(origin, model, [7.0] * 24, [1.0] * 24, [9.0] * 24)


def _seen(newest_event: timedelta, closed: datetime = NOW) -> Progress:
    return Progress(START + newest_event, closed)


def test_a_batch_that_knows_the_newest_whole_hour_is_the_answer(tmp_path):
    answer = _made(tmp_path, Redis(_held(END), _seen(95 * HOUR + timedelta(minutes=55)))).forecast(KOL, "engagement", 6)
    assert (answer.source, answer.origin, answer.model, answer.age_s) == ("batch", END, "success:3", 7 * 3600)
    assert [(p.at, p.value) for p in answer.points] == [(END + h * HOUR, 7.0) for h in range(6)]


@pytest.mark.parametrize("held", [_held(END - HOUR), _held(END, "success:2"), None])
def test_else_the_forecast_is_made_now_and_equals_the_models_own(tmp_path, held):
    answer = _made(tmp_path, Redis(held, _seen(95 * HOUR + timedelta(minutes=55)))).forecast(KOL, "engagement", 24)
    history = kpi_hourly().filter(pl.col("kol_id") == KOL).select("kol_id", at="hour", value="likes")
    own = TRAINED.model.forecast(history, origin=END)
    assert (answer.source, answer.origin) == ("computed", END)
    assert [p.value for p in answer.points] == own["value"].to_list()
    assert [p.at for p in answer.points] == own["at"].to_list()


def test_where_the_data_ended_within_an_hour_the_forecast_begins_with_that_hour_and_does_not_sink(tmp_path):
    ended = _made(tmp_path, Redis(None, _seen(95 * HOUR + timedelta(minutes=20)))).forecast(KOL, "engagement", 24)
    full = _made(tmp_path, Redis(None, _seen(95 * HOUR + timedelta(minutes=55)))).forecast(KOL, "engagement", 24)
    assert ended.origin == END - HOUR
    assert sum(p.value for p in ended.points) == pytest.approx(sum(p.value for p in full.points), rel=0.2)


def test_hours_in_which_others_were_active_are_silence(tmp_path):
    mine = kpi_hourly().filter((pl.col("kol_id") == KOL) & (pl.col("hour") < END - 40 * HOUR))
    marks = _seen(95 * HOUR + timedelta(minutes=55))
    silent = _made(tmp_path, Redis(None, marks), mine).forecast(KOL, "engagement", 24)
    active = _made(tmp_path, Redis(None, marks)).forecast(KOL, "engagement", 24)
    assert silent.origin == END
    assert sum(p.value for p in silent.points) < sum(p.value for p in active.points) / 2


def test_an_open_hour_is_not_taken_for_a_whole_one(tmp_path):
    marks = Progress(END + timedelta(minutes=58), closed=END)
    assert _made(tmp_path, Redis(None, marks)).forecast(KOL, "engagement", 1).origin == END


@pytest.mark.parametrize("marks", [None, _seen(20 * HOUR, closed=START + 21 * HOUR)])
def test_where_redis_lost_its_marks_the_kols_own_newest_hour_tells(tmp_path, marks):
    assert _made(tmp_path, Redis(None, marks)).forecast(KOL, "engagement", 1).origin == END


def test_without_hours_the_batch_answers_and_else_nobody_is_known(tmp_path):
    none = kpi_hourly().head(0)
    answer = _made(tmp_path, Redis(_held(END - HOUR), _seen(97 * HOUR)), none).forecast(KOL, "engagement", 24)
    assert (answer.source, answer.origin) == ("batch", END - HOUR)
    forecasting = _made(tmp_path, Redis(), none)
    with pytest.raises(NotFoundError, match="nothing to forecast from"):
        forecasting.forecast(KOL, "engagement", 24)
    assert forecasting.expected(KOL) is None
    assert _made(tmp_path, Redis(_held(END)), none).expected(KOL) == 7 * 24


def test_a_metrics_store_that_is_away_leaves_the_batch(tmp_path):
    class Away(MemoryStore):
        def windows(self, *_: object) -> pl.DataFrame:
            raise ServiceUnavailableError("SQLite", "m.db", "it is away")

    assert _made(tmp_path, Redis(_held(START)), store=Away()).forecast(KOL, "engagement", 2).source == "batch"
    with pytest.raises(ServiceUnavailableError):
        _made(tmp_path, Redis(), store=Away()).forecast(KOL, "engagement", 2)


@pytest.mark.parametrize(("metric", "horizon_h"), [("luck", 24), ("engagement", 25)])
def test_what_the_model_cannot_forecast_is_said(tmp_path, metric, horizon_h):
    with pytest.raises(InvalidInputError, match=r"does not forecast 'luck'|choose 1 to 24"):
        _made(tmp_path, Redis()).forecast(KOL, metric, horizon_h)
