"""The trust model: members, stack and calibration as one ``Scorer``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.errors import InvalidInputError
from kolray.models.metrics import Floats
from kolray.models.trust.calibration import Calibrator
from kolray.models.trust.members import Member
from kolray.models.trust.share import FakeShare
from kolray.models.trust.stack import Stack

FAKE_FROM = 0.5
"""Probability from which on an account is called fake where a yes or no is wanted."""
THIN = 0.7
"""An account of which fewer features are known than this share of what was known of a typical one is thin."""
LARGEST = 3e38
"""Trees compare in float32, where more would be infinite."""
Z95 = 1.96
SHARE_COLUMNS = ("fake_share", "fake_share_lower", "fake_share_upper")
SCORED: dict[str, pl.DataType | type[pl.DataType]] = {
    "kol_id": pl.String,
    **dict.fromkeys(("trust_score", "lower", "upper", "probability"), pl.Float64),
}


@dataclass(frozen=True)
class Seen:
    """What the rows looked like that a model learnt from.

    ``typical_known``: how many features are known of the median row. ``low``, ``high``: the range of each feature, from
    its 1st to its 99th percentile (NaN: never known). ``as_of``: when the table was made, if ages were counted to it.
    """

    typical_known: float
    low: Floats
    high: Floats
    as_of: datetime | None = None

    @classmethod
    def of(cls, x: Floats) -> Seen:
        """Of a matrix with NaN for missing values."""
        known = ~np.isnan(x)
        safe = np.where(known.any(axis=0), x, 0.0)
        low, high = np.nanquantile(safe, [0.01, 0.99], axis=0)
        never = ~known.any(axis=0)
        low[never] = high[never] = np.nan
        return cls(float(np.median(known.sum(axis=1))), low, high)


@dataclass
class TrustModel:
    """Trust in 0-100, higher = more trustworthy, from one row of features a KOL.

    A member that learns from labels is fitted once without each fold, and its score is the mean. The spread over the
    folds gives the 95 % interval: a delete-one-fold jackknife of the stack's log-odds, sent through the calibrator. It
    says how much the score would move had other accounts been labelled, not how wrong a label may be. ``share`` tells
    what part of the followers is no real audience, where that was known of enough accounts.
    """

    feature_names: tuple[str, ...]
    members: Mapping[str, Member]
    stack: Stack
    calibrator: Calibrator
    seen: Seen
    share: FakeShare | None = None
    version: str = ""

    def __post_init__(self) -> None:
        from kolray.models.trust.files import digest

        self.version = self.version or f"trust-{digest(self)}"

    def score(self, features: pl.DataFrame) -> pl.DataFrame:
        """``kol_id, trust_score, lower, upper, probability`` in the order of ``features``.

        ``features`` has ``kol_id`` and any of the model's features; absent ones are null, others are ignored.
        """
        columns = self.scores(self.matrix(features))
        return pl.DataFrame({"kol_id": features["kol_id"], **columns}, schema=SCORED)

    def scores(self, x: Floats) -> dict[str, Floats]:
        """The columns of ``score`` for a matrix."""
        fold_odds = self.fold_log_odds(x)
        odds = fold_odds.mean(axis=1)
        n_folds = fold_odds.shape[1]
        spread = np.sqrt((n_folds - 1) / n_folds * ((fold_odds - odds[:, None]) ** 2).sum(axis=1))
        margin = Z95 * spread
        probability, low, high = self.calibrator.probability(np.stack([odds, odds - margin, odds + margin]))
        trust = {"trust_score": probability, "lower": high, "upper": low}
        return {**{name: 100.0 * (1.0 - p) for name, p in trust.items()}, "probability": probability}

    def answer(self, features: pl.DataFrame) -> pl.DataFrame:
        """``score``, and: ``fake`` (see ``FAKE_FROM``), ``thin`` (see ``THIN``), ``fake_share`` with its 95 % interval
        ``fake_share_lower, fake_share_upper`` (0-1; null for a model that never learnt it).
        """
        answered = pl.DataFrame({"kol_id": features["kol_id"], **self._answered(self.matrix(features))})
        return answered.with_columns(pl.col(*SHARE_COLUMNS).fill_nan(None))

    def answer_one(self, kol_id: str, features: Mapping[str, Any]) -> dict[str, Any]:
        """The row of ``answer`` for one KOL: to make a frame of it would take longer than to score it."""
        x = feature_row(features, self.feature_names)
        answered = {name: values[0].item() for name, values in self._answered(x).items()}
        unknown = {name: None for name in SHARE_COLUMNS if math.isnan(answered[name])}
        return {"kol_id": kol_id, **answered, **unknown}

    def _answered(self, x: Floats) -> dict[str, np.ndarray]:
        columns = self.scores(x)
        share = np.full((len(x), 3), np.nan) if self.share is None else self.share.predict(x)
        flags = {"fake": columns["probability"] >= FAKE_FROM, "thin": self.thin(x)}
        return {**columns, **flags, **dict(zip(SHARE_COLUMNS, share.T, strict=True))}

    def probability(self, x: Floats) -> Floats:
        """That the audience is bought: calibrated."""
        return self.calibrator.probability(self.fold_log_odds(x).mean(axis=1))

    def contributions(self, features: pl.DataFrame) -> pl.DataFrame:
        """What each feature adds to the log-odds that the audience is bought, before calibration.

        Returns:
            ``kol_id, feature, contribution`` (long): the features and ``base``. They sum to the stack's log-odds of
            the KOL, to rounding in float64.
        """
        parts = self.parts(self.matrix(features))
        columns = dict(zip((*self.feature_names, "base"), parts.T, strict=True))
        wide = pl.DataFrame({"kol_id": features["kol_id"], **columns})
        return wide.unpivot(index="kol_id", variable_name="feature", value_name="contribution")

    def parts(self, x: Floats) -> Floats:
        """The contributions for a matrix: (rows, features + 1), the base in the last column."""
        out = np.zeros((len(x), len(self.feature_names) + 1))
        for name, weight, centre in zip(self.stack.names, self.stack.weights, self.stack.centre, strict=True):
            out += weight * self.members[name].contributions(x)
            out[:, -1] -= weight * centre
        out[:, -1] += self.stack.intercept
        return out

    def log_odds(self, features: pl.DataFrame) -> Floats:
        """The stack's log-odds of each row, before calibration."""
        return self.fold_log_odds(self.matrix(features)).mean(axis=1)

    def fold_log_odds(self, x: Floats) -> Floats:
        """The stack's log-odds by the members of each fold: (rows, folds)."""
        return self._stacked([self.members[name].scores(x) for name in self.stack.names])

    def moved_log_odds(self, row: Floats, columns: NDArray[np.int64], to: Floats) -> Floats:
        """The stack's log-odds of copies of a row (features,), each with another value in one column, none unknown."""
        return self._stacked([self.members[name].moved(row, columns, to) for name in self.stack.names]).mean(axis=1)

    def _stacked(self, scores: list[Floats]) -> Floats:
        weighted = [w * (s - c) for s, w, c in zip(scores, self.stack.weights, self.stack.centre, strict=True)]
        total: Floats = sum(weighted, np.full((len(scores[0]), 1), self.stack.intercept))
        return total

    def thin(self, x: Floats) -> np.ndarray:
        """Whether too little is known of a row (see ``THIN``) for its interval to be believed."""
        return (~np.isnan(x)).sum(axis=1) < THIN * self.seen.typical_known

    def matrix(self, features: pl.DataFrame) -> Floats:
        """(rows, features) in the model's order, NaN where null or absent."""
        return feature_matrix(features, self.feature_names)

    def to_files(self) -> dict[str, bytes]:
        """The model as named files in open formats: XGBoost's own, npz and JSON; no pickle."""
        from kolray.models.trust.files import to_files

        return to_files(self)

    @classmethod
    def load(cls, folder: Path) -> TrustModel:
        """From a folder holding what ``to_files`` gave."""
        from kolray.models.trust.files import load

        return load(folder)


def feature_matrix(features: pl.DataFrame, names: tuple[str, ...]) -> Floats:
    """(rows, names) as float64; null, absent and non-finite values are NaN, none is beyond ±``LARGEST``.

    Raises:
        InvalidInputError: a feature's column holds text.
    """
    schema = features.schema  # once: polars builds it anew at every access
    if text := [name for name in names if schema.get(name) == pl.String]:
        raise _text(text)
    x = np.full((features.height, len(names)), np.nan)
    for j, name in enumerate(names):
        if name in schema:
            x[:, j] = features.get_column(name).cast(pl.Float64).to_numpy()
    return _comparable(x)


def feature_row(values: Mapping[str, Any], names: tuple[str, ...]) -> Floats:
    """``feature_matrix`` of a single row that is no frame.

    Raises:
        InvalidInputError: a feature is text.
    """
    row = [values.get(name) for name in names]
    if str in set(map(type, row)):
        raise _text(name for name, value in zip(names, row, strict=True) if isinstance(value, str))
    return _comparable(np.array([row], np.float64))  # None becomes NaN


def _text(names: Iterable[str]) -> InvalidInputError:
    return InvalidInputError(f"features {', '.join(names)} hold text where numbers are needed: convert or drop them")


def _comparable(x: Floats) -> Floats:
    return np.clip(np.where(np.isfinite(x), x, np.nan), -LARGEST, LARGEST)
