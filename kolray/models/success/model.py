"""The success model: one LightGBM for all KOLs and horizons, with conformal intervals."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kolray.errors import InvalidInputError
from kolray.events import TIME, Columns
from kolray.models.metrics import Floats
from kolray.models.success.design import LOOKBACK, MAX_HORIZON, NAMES, design
from kolray.models.success.intervals import Intervals
from kolray.models.success.series import HOUR, Hourly, to_matrix

HALF_A_COUNT = float(np.log1p(0.5))
FORECAST: Columns = {"kol_id": pl.String, "at": TIME, **dict.fromkeys(("value", "lower", "upper"), pl.Float64)}


@dataclass
class SuccessModel:
    """Forecasts 1 … 24 hours ahead, with 90 % intervals. ``metrics`` are those it was trained on."""

    booster: Any
    intervals: Intervals
    metrics: tuple[str, ...]
    version: str = ""

    def __post_init__(self) -> None:
        self.version = self.version or f"success-{self.digest()}"

    def forecast(
        self, history: pl.DataFrame, metric: str = "engagement", horizon_h: int = 24, origin: datetime | None = None
    ) -> pl.DataFrame:
        """``kol_id, at, value, lower, upper`` for the ``horizon_h`` hours after the history, by KOL and time.

        Args:
            history: ``kol_id, at`` (hourly, UTC), ``value``; missing hours are 0, those before the first unknown.
            metric: one of ``metrics``.
            horizon_h: 1 … 24.
            origin: first hour to forecast, for histories that end in silence; none: the hour after the newest row.

        Raises:
            InvalidInputError: unknown metric, horizon out of range, or no history.
        """
        if metric not in self.metrics:
            raise InvalidInputError(
                f"this model does not forecast {metric!r}; it was trained on {', '.join(self.metrics)}"
            )
        if not 1 <= horizon_h <= MAX_HORIZON:
            raise InvalidInputError(f"horizon_h is {horizon_h}; choose 1 to {MAX_HORIZON} hours")
        series = to_matrix(history, end=origin, max_hours=LOOKBACK)
        horizons = np.tile(np.arange(1, horizon_h + 1), len(series.ids))
        predicted = self.predict(series, horizon_h).ravel()
        lower, upper = self.intervals.bounds(predicted, horizons)
        at = [series.end + h * HOUR for h in range(horizon_h)]
        values = {
            name: np.maximum(np.expm1(v), 0.0) for name, v in (("value", predicted), ("lower", lower), ("upper", upper))
        }
        ids = pl.Series(series.ids).repeat_by(horizon_h).explode()
        return pl.DataFrame({"kol_id": ids, "at": at * len(series.ids), **values}, schema=FORECAST)

    def predict(self, series: Hourly, horizon_h: int = MAX_HORIZON) -> Floats:
        """log1p forecasts (KOLs, horizons), never negative."""
        return predict(self.booster, series, horizon_h)

    def to_files(self) -> dict[str, bytes]:
        """The model as named files in open formats: LightGBM's text, npz and JSON; no pickle."""
        packed = io.BytesIO()
        i = self.intervals
        np.savez_compressed(packed, edges=i.edges, lower=i.lower, upper=i.upper)
        about = {"metrics": list(self.metrics), "alpha": i.alpha, "features": list(NAMES)}
        text = self.booster.model_to_string()
        return {
            "success.json": json.dumps(about).encode(),
            "booster.txt": text.encode(),
            "intervals.npz": packed.getvalue(),
        }

    def digest(self) -> str:
        """A hash of the content: equal models have equal digests."""
        i = self.intervals
        parts = [self.booster.model_to_string().encode(), *(a.tobytes() for a in (i.edges, i.lower, i.upper))]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:12]

    @classmethod
    def load(cls, folder: Path) -> SuccessModel:
        """From a folder holding what ``to_files`` gave.

        Raises:
            InvalidInputError: the model was made for other features than this version of kolray computes.
        """
        import lightgbm as lgb

        about = json.loads((folder / "success.json").read_text())
        if tuple(about["features"]) != NAMES:
            raise InvalidInputError("this success model was made for other features; train it again")
        with np.load(folder / "intervals.npz", allow_pickle=False) as a:
            intervals = Intervals(about["alpha"], a["edges"], a["lower"], a["upper"])
        booster = lgb.Booster(model_str=(folder / "booster.txt").read_text())
        return cls(booster, intervals, tuple(about["metrics"]))


def predict(booster: Any, series: Hourly, horizon_h: int = MAX_HORIZON) -> Floats:
    """log1p forecasts (KOLs, horizons) of a bare booster; less than half a count is 0."""
    rows, level = design(series, np.arange(1, horizon_h + 1))
    values = level + booster.predict(rows, num_threads=1)
    return np.where(values < HALF_A_COUNT, 0.0, values).reshape(len(series.ids), horizon_h)
