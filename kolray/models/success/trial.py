"""One trial of tuning: LightGBM, grown by rounds before the inner origins and judged on what came after (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kolray.models.metrics import Floats, known_mean, seasonal_scale
from kolray.models.success.design import Design
from kolray.models.success.forecaster import inner_origins, scaled_panel
from kolray.models.success.members import booster_params, training_rows
from kolray.models.success.scale import from_scale, units_of
from kolray.models.success.series import Panel, stacked
from kolray.models.success.space import SPACE
from kolray.models.trial import Trial

BOOSTER = "booster.txt"


@dataclass(frozen=True)
class Unseen:
    """Rows of a metric at an inner origin, and their truth (series, horizons); ``scale``: see ``seasonal_scale``."""

    rows: Floats
    level: Floats
    units: Floats
    actual: Floats
    scale: Floats

    def mase(self, booster: Any) -> float:
        """Of LightGBM's forecasts alone."""
        departs = booster.predict(self.rows, num_threads=1)
        made = np.maximum(from_scale((self.level + departs).reshape(self.actual.shape), self.units), 0.0)
        return float(known_mean(known_mean(np.abs(made - self.actual), axis=1) / self.scale, axis=0))


@dataclass(frozen=True)
class Rehearsal:
    """What trials learn from and are judged on: both lie before the hours that judge the model."""

    x: Floats
    y: Floats
    design: Design
    unseen: Mapping[str, tuple[Unseen, ...]]

    @classmethod
    def of(cls, panels: Mapping[str, Panel], design: Design, seed: int) -> Rehearsal:
        """Of counts by metric; the same rows and origins as in training."""
        scaled = {metric: scaled_panel(panel, counts=True) for metric, panel in panels.items()}
        together = stacked(list(scaled.values()))
        cuts = inner_origins(together, design)
        _, _, n_rows = booster_params({}, seed)
        x, y = training_rows(together.before(cuts[0]), design, n_rows, seed)
        unseen = {
            metric: tuple(_unseen(panels[metric], own, cut, design) for cut in cuts) for metric, own in scaled.items()
        }
        return cls(x, y, design, unseen)

    def digest(self) -> str:
        """Names the content."""
        truths = [part.actual.tobytes() for parts in self.unseen.values() for part in parts]
        return hashlib.sha256(b"".join([self.x.tobytes(), self.y.tobytes(), *truths])).hexdigest()


def _unseen(panel: Panel, scaled: Panel, cut: int, design: Design) -> Unseen:
    there = np.flatnonzero(np.nan_to_num(panel.values[:, :cut]).any(axis=1))
    mine = panel.of(there)
    units = units_of(mine.before(cut), counts=True)
    rows, level = design.rows(scaled.of(there).before(cut), np.arange(1, design.max_horizon + 1))
    actual = mine.values[:, cut : cut + design.max_horizon]
    # The scale of all that is learnt from: before an early origin there may be less than a season to take it from.
    return Unseen(rows, level, units, actual, seasonal_scale(mine.values, design.season))


def _mean(values: list[float]) -> float:
    """Of what is known."""
    return float(known_mean(np.array(values), axis=0))


class ForecastTrial(Trial):
    """One LightGBM.

    Args:
        data: from before the hours that judge the model.
        params: over the defaults; their ``rounds`` are not used.
        seed: as ``train_success``.
    """

    space = SPACE

    def __init__(self, data: Rehearsal, params: dict[str, Any], seed: int) -> None:
        super().__init__()
        self._data = data
        self._params, _, _ = booster_params(params, seed)
        self._booster: Any = None
        self._grows = False

    def boost(self) -> float:
        """MASE, the mean of the metrics' and of their origins'."""
        import lightgbm as lgb

        if not self._grows:  # the first rounds, or the first after ``load``
            rows = lgb.Dataset(self._data.x, self._data.y, feature_name=list(self._data.design.names))
            self._booster = lgb.train(
                self._params, rows, SPACE.every, init_model=self._booster, keep_training_booster=True
            )
            self._grows = True
        else:
            for _ in range(SPACE.every):
                self._booster.update()
        return float(
            np.nanmean([np.nanmean([u.mase(self._booster) for u in own]) for own in self._data.unseen.values()])
        )

    def save(self, folder: Path) -> None:
        super().save(folder)
        self._booster.save_model(folder / BOOSTER)

    def load(self, folder: Path) -> None:
        import lightgbm as lgb

        super().load(folder)
        self._booster = lgb.Booster(model_file=folder / BOOSTER)
