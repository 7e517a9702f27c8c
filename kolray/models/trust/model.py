"""The trust model: members, stack and calibration as one ``Scorer``."""

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
from kolray.models.metrics import Floats
from kolray.models.trust.calibration import Calibrator
from kolray.models.trust.members import IsolationForest
from kolray.models.trust.stack import Stack

BOOSTER, FOREST = "xgboost", "isolation_forest"
Z95 = 1.96
SCORED: dict[str, pl.DataType | type[pl.DataType]] = {
    "kol_id": pl.String,
    **dict.fromkeys(("trust_score", "lower", "upper", "probability"), pl.Float64),
}


@dataclass
class TrustModel:
    """Trust in 0-100, higher = more trustworthy, from one row of features a KOL.

    The booster member is the mean log-odds of the boosters of all folds. Their spread gives the 95 % interval: a
    delete-one-fold jackknife of the stack's log-odds, sent through the calibrator. It says how much the score would
    move had other accounts been labelled, not how wrong a label may be. From probability ``threshold`` on an account
    is called fake where a yes or no is wanted. ``as_of``: when the table that it learnt from was made, where ages were
    counted to that.
    """

    feature_names: tuple[str, ...]
    boosters: list[Any]
    forest: IsolationForest | None
    stack: Stack
    calibrator: Calibrator
    threshold: float = 0.5
    as_of: datetime | None = None
    version: str = ""

    def __post_init__(self) -> None:
        for booster in self.boosters:
            booster.set_param({"nthread": 1})  # a request is one row: threads would only cost
        self.version = self.version or f"trust-{self.digest()}"

    def score(self, features: pl.DataFrame) -> pl.DataFrame:
        """``kol_id, trust_score, lower, upper, probability`` in the order of ``features``.

        ``features`` has ``kol_id`` and any of the model's features; absent ones are null, others are ignored.
        """
        fold_odds = self.fold_log_odds(self.matrix(features))
        odds = fold_odds.mean(axis=1)
        n_folds = fold_odds.shape[1]
        spread = np.sqrt((n_folds - 1) / n_folds * ((fold_odds - odds[:, None]) ** 2).sum(axis=1))
        probability = self.calibrator.probability(odds)
        low = self.calibrator.probability(odds - Z95 * spread)
        high = self.calibrator.probability(odds + Z95 * spread)
        trust = {"trust_score": probability, "lower": high, "upper": low}
        columns = {name: 100.0 * (1.0 - p) for name, p in trust.items()}
        return pl.DataFrame({"kol_id": features["kol_id"], **columns, "probability": probability}, schema=SCORED)

    def contributions(self, features: pl.DataFrame) -> pl.DataFrame:
        """What each feature adds to the log-odds that the audience is bought, before calibration.

        Returns:
            ``kol_id, feature, contribution`` (long): the features, ``isolation_forest`` where it is a member, and
            ``base``. They sum to the stack's log-odds of the KOL.
        """
        import xgboost as xgb

        x = self.matrix(features)
        weights = dict(zip(self.stack.names, self.stack.weights, strict=True))
        centre = dict(zip(self.stack.names, self.stack.centre, strict=True))
        columns = {name: np.zeros(len(x)) for name in self.feature_names}
        base = np.full(len(x), self.stack.intercept)
        if BOOSTER in weights and len(x):
            rows = xgb.DMatrix(x, feature_names=list(self.feature_names))
            parts = np.mean([booster.predict(rows, pred_contribs=True) for booster in self.boosters], axis=0)
            parts = parts.astype(np.float64) * weights[BOOSTER]
            columns = dict(zip(self.feature_names, parts[:, :-1].T, strict=True))
            base += parts[:, -1] - weights[BOOSTER] * centre[BOOSTER]
        if FOREST in weights and self.forest is not None:
            columns[FOREST] = (self.forest.score(x) - centre[FOREST]) * weights[FOREST]
        wide = pl.DataFrame({"kol_id": features["kol_id"], **columns, "base": base})
        return wide.unpivot(index="kol_id", variable_name="feature", value_name="contribution")

    def log_odds(self, features: pl.DataFrame) -> Floats:
        """The stack's log-odds of each row, before calibration."""
        return self.fold_log_odds(self.matrix(features)).mean(axis=1)

    def fold_log_odds(self, x: Floats) -> Floats:
        """The stack's log-odds by each fold's booster: (rows, folds)."""
        scores = self.member_scores(x)
        by_fold = zip(*(scores[name] for name in self.stack.names), strict=True)
        return np.stack([self.stack.log_odds(np.stack(own, axis=1)) for own in by_fold], axis=1)

    def member_scores(self, x: Floats) -> dict[str, list[Floats]]:
        """For each member its scores by fold; the forest has one for all."""
        scores = {}
        if BOOSTER in self.stack.names:
            scores[BOOSTER] = [margins(booster, x) for booster in self.boosters]
        if FOREST in self.stack.names and self.forest is not None:
            scores[FOREST] = [self.forest.score(x)] * len(self.boosters)
        return scores

    def matrix(self, features: pl.DataFrame) -> Floats:
        """(rows, features) in the model's order, NaN where null or absent."""
        return feature_matrix(features, self.feature_names)

    def to_files(self) -> dict[str, bytes]:
        """The model as named files in open formats: XGBoost's own, npz and JSON; no pickle."""
        about = {
            "features": list(self.feature_names),
            "members": list(self.stack.names),
            "weights": self.stack.weights.tolist(),
            "centre": self.stack.centre.tolist(),
            "intercept": self.stack.intercept,
            "calibration": self.calibrator.method,
            "threshold": self.threshold,
            "as_of": self.as_of.isoformat() if self.as_of else None,
        }
        arrays: dict[str, Any] = {"calibration_x": self.calibrator.x, "calibration_y": self.calibrator.y}
        if self.forest is not None:
            arrays |= {f"forest_{name}": np.asarray(value) for name, value in vars(self.forest).items()}
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)
        boosters = {f"booster-{k}.ubj": bytes(b.save_raw("ubj")) for k, b in enumerate(self.boosters)}
        return {"trust.json": json.dumps(about).encode(), "arrays.npz": packed.getvalue(), **boosters}

    def digest(self) -> str:
        """A hash of the content: equal models have equal digests."""
        files = self.to_files()
        del files["arrays.npz"]  # a zip file holds the time it was written
        arrays = [self.calibrator.x.tobytes(), self.calibrator.y.tobytes()]
        parts = [*(files[name] for name in sorted(files)), *arrays]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:12]

    @classmethod
    def load(cls, folder: Path) -> TrustModel:
        """From a folder holding what ``to_files`` gave."""
        import xgboost as xgb

        about = json.loads((folder / "trust.json").read_text())
        with np.load(folder / "arrays.npz", allow_pickle=False) as packed:
            arrays = dict(packed)
        names = [name for name in arrays if name.startswith("forest_")]
        forest: dict[str, Any] = {name.removeprefix("forest_"): arrays[name] for name in names}
        boosters = []
        for file in sorted(folder.glob("booster-*.ubj"), key=lambda f: int(f.stem.removeprefix("booster-"))):
            boosters.append(xgb.Booster())
            boosters[-1].load_model(bytearray(file.read_bytes()))
        return cls(
            feature_names=tuple(about["features"]),
            boosters=boosters,
            forest=IsolationForest(**forest) if forest else None,
            stack=Stack(
                tuple(about["members"]), np.array(about["weights"]), np.array(about["centre"]), about["intercept"]
            ),
            calibrator=Calibrator(about["calibration"], arrays["calibration_x"], arrays["calibration_y"]),
            threshold=about.get("threshold", 0.5),
            as_of=datetime.fromisoformat(about["as_of"]) if about.get("as_of") else None,
        )


def margins(booster: Any, x: Floats) -> Floats:
    """Log-odds by one booster."""
    if not len(x):
        return np.empty(0)
    return booster.inplace_predict(x, predict_type="margin", validate_features=False).astype(np.float64)


def feature_matrix(features: pl.DataFrame, names: tuple[str, ...]) -> Floats:
    """(rows, names) as float64; null, absent and non-finite values are NaN.

    Raises:
        InvalidInputError: a feature's column holds text.
    """
    schema = features.schema  # once: polars builds it anew at every access
    text = [name for name in names if schema.get(name) == pl.String]
    if text:
        raise InvalidInputError(f"features {', '.join(text)} hold text where numbers are needed: convert or drop them")
    x = np.full((features.height, len(names)), np.nan)
    for j, name in enumerate(names):
        if name in schema:
            x[:, j] = features.get_column(name).cast(pl.Float64).to_numpy()
    return np.where(np.isfinite(x), x, np.nan)
