"""The success model: a forecaster of counts by hour as a registered model."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kolray.errors import InvalidInputError
from kolray.events import TIME, Columns
from kolray.models.success.beside import Beside
from kolray.models.success.blend import Blend
from kolray.models.success.covariates import Covariates
from kolray.models.success.design import Design
from kolray.models.success.forecaster import Forecast, Forecaster
from kolray.models.success.intervals import Intervals
from kolray.models.success.members import Global
from kolray.models.success.prophet import Fit, Important
from kolray.models.success.series import HOUR, Panel, to_matrix

FORECAST: Columns = {"kol_id": pl.String, "at": TIME, **dict.fromkeys(("value", "lower", "upper"), pl.Float64)}

INTERVALS = ("edges", "lower", "upper")


@dataclass
class SuccessModel:
    """Forecasts 1 … 24 hours ahead, with 90 % intervals: a forecaster a metric, all with the same booster."""

    forecasters: Mapping[str, Forecaster]
    version: str = ""

    def __post_init__(self) -> None:
        self.version = self.version or f"success-{self.digest()}"

    def forecast(
        self,
        history: pl.DataFrame,
        metric: str = "engagement",
        horizon_h: int = 24,
        origin: datetime | None = None,
        covariates: Covariates | None = None,
        fit: Fit | None = None,
    ) -> pl.DataFrame:
        """``kol_id, at, value, lower, upper`` for the ``horizon_h`` hours after the history, by KOL and time.

        Args:
            history: ``kol_id, at`` (hourly, UTC), ``value``; missing hours are 0, those before the first unknown.
            metric: one of ``metrics``.
            horizon_h: 1 … 24.
            origin: first hour to forecast, for histories that end in silence; none: the hour after the newest row.
            covariates: what else is known of the KOLs, campaigns to come among it; rows known later are not used.
            fit: fits Prophet to the largest series of the history, where it earned a weight; seconds, for batches only.

        Raises:
            InvalidInputError: unknown metric, horizon out of range, or no history.
        """
        series = to_matrix(history, end=origin, max_hours=self.design.lookback)
        beside = None if covariates is None else Beside.of(covariates, series.ids)
        made = self.forecast_series(series, metric, horizon_h, beside, fit)
        ahead = np.arange(horizon_h) * np.timedelta64(HOUR)
        at = np.tile(series.ends[0] + ahead, len(series.ids))
        ids = pl.Series(series.ids).repeat_by(horizon_h).explode()
        values = {name: part.ravel() for name, part in made._asdict().items()}
        times = pl.Series(at).dt.replace_time_zone("UTC")
        return pl.DataFrame({"kol_id": ids, "at": times, **values}).cast(pl.Schema(FORECAST))

    def forecast_series(
        self, series: Panel, metric: str, horizon_h: int, beside: Beside | None = None, fit: Fit | None = None
    ) -> Forecast:
        """The ``horizon_h`` hours after the end of series of a metric, with what else is known of them.

        Raises:
            InvalidInputError: unknown metric, or horizon out of range.
        """
        if metric not in self.metrics:
            raise InvalidInputError(
                f"this model does not forecast {metric!r}; it was trained on {', '.join(self.metrics)}"
            )
        if not 1 <= horizon_h <= self.max_horizon:
            raise InvalidInputError(f"horizon_h is {horizon_h}; choose 1 to {self.max_horizon} hours")
        return self.forecasters[metric].forecast(series.measuring(metric, beside), horizon_h, fit)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it was trained on, in the order of ``METRICS``."""
        return tuple(self.forecasters)

    @property
    def design(self) -> Design:
        """How its features are made."""
        return self._members.design

    @property
    def max_horizon(self) -> int:
        """Hours."""
        return self.design.max_horizon

    @property
    def _members(self) -> Global:
        return next(iter(self.forecasters.values())).members

    def to_files(self) -> dict[str, bytes]:
        """The model as named files in open formats: LightGBM's text, npz and JSON; no pickle."""
        packed = io.BytesIO()
        np.savez_compressed(packed, **self._arrays())
        return {
            "success.json": json.dumps(self._about()).encode(),
            "booster.txt": self._booster().encode(),
            "intervals.npz": packed.getvalue(),
        }

    def digest(self) -> str:
        """A hash of the content: equal models have equal digests."""
        about = json.dumps(self._about(), sort_keys=True)
        parts = [self._booster().encode(), about.encode(), *(a.tobytes() for a in self._arrays().values())]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:12]

    def _about(self) -> dict[str, object]:
        return {
            "metrics": {
                metric: {
                    "alpha": own.intervals.alpha,
                    "weights": own.blend.weights,
                    "counts": own.counts,
                    "important": own.important and asdict(own.important),
                }
                for metric, own in self.forecasters.items()
            },
            "design": asdict(self.design),
            "features": list(self.design.names),
        }

    def _arrays(self) -> dict[str, Any]:
        parts = {metric: own.intervals for metric, own in self.forecasters.items()}
        return {f"{metric}/{name}": getattr(i, name) for metric, i in parts.items() for name in INTERVALS}

    def _booster(self) -> str:
        return str(self._members.booster.model_to_string())

    @classmethod
    def load(cls, folder: Path) -> SuccessModel:
        """From a folder holding what ``to_files`` gave.

        Raises:
            InvalidInputError: the model was made for other features than this version of kolray computes.
        """
        import lightgbm as lgb

        about = json.loads((folder / "success.json").read_text())
        design = Design(**about.get("design", {}))
        if tuple(about["features"]) != design.names or not isinstance(about["metrics"], dict):
            raise InvalidInputError("this success model was made for other features; train it again")
        members = Global(lgb.Booster(model_str=(folder / "booster.txt").read_text()), design)
        forecasters = {}
        with np.load(folder / "intervals.npz", allow_pickle=False) as held:
            for metric, own in about["metrics"].items():
                intervals = Intervals(own["alpha"], *(held[f"{metric}/{name}"] for name in INTERVALS))
                earned = own.get("important")
                important = earned and Important(earned["series"], Blend(**earned["blend"]))
                forecasters[metric] = Forecaster(members, Blend(own["weights"]), intervals, own["counts"], important)
        return cls(forecasters)
