"""What the night looks at without labels: features and scores that moved, and the AUC to expect now (pure)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

import polars as pl

from kolray.events import Columns
from kolray.models.drift import Reference
from kolray.models.estimate import estimate_auc
from kolray.protocols import Scorer
from kolray.stores.metrics import ALERT_SCHEMA

MEASURES: Columns = {
    "kind": pl.String,
    "name": pl.String,
    "value": pl.Float64,
    "before": pl.Float64,
    "p_value": pl.Float64,
    "drifted": pl.Boolean,
}
"""``kind`` is ``feature`` or ``score`` (``value`` is the PSI since training), ``auc`` (``name``: ``estimated``, with
that of training ``before``, or ``untouched fold``) or ``forecast`` (``rmsle``, ``naive_rmsle`` and ``coverage_90`` of
forecasts that were served, with those of training ``before``)."""
SDS = 3.0
"""A fall of the estimated AUC is one only beyond so many standard deviations of the difference."""
COVERED = 0.8
"""Share of hours inside their 90 % intervals below which forecasts are said to fail: days differ, but not so much."""
RULES = {
    "feature": "feature_drift",
    "score": "score_drift",
    "auc": "estimated_auc_drop",
    "forecast": "forecasts_fail",
}
SEVERITY = {"feature": "warning", "score": "warning", "auc": "high", "forecast": "high"}
SHOWN = 10
"""Drifted features that an alert names."""
SCORE = "trust_score"


@dataclass(frozen=True)
class AtTraining:
    """What the night compares with: how a model's world looked when it was trained, of all KOLs, labelled or not.

    ``estimated_auc`` and its ``estimated_sd`` are of those KOLs, ``test_auc`` of the labelled untouched fold; scores
    and figures are none of a model that does not give probabilities. ``data`` says what it was trained on: table →
    Delta version, or the hash of a file's rows; with ``seed`` the training can be repeated.
    """

    features: Reference
    scores: Reference | None = None
    estimated_auc: float | None = None
    estimated_sd: float | None = None
    test_auc: float | None = None
    data: dict[str, int | str] = field(default_factory=dict)
    seed: int | None = None

    @classmethod
    def of(cls, features: pl.DataFrame, model: Scorer, test_auc: float) -> Self:
        """Of a model that gives probabilities."""
        scores = model.score(features)
        told = estimate_auc(scores["probability"].to_numpy())
        auc, sd = (told.auc, told.sd) if told else (None, None)
        return cls(Reference.of(features), Reference.of(scores.select(SCORE)), auc, sd, test_auc)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Of what ``asdict`` made."""
        parts = {name: told[name] and Reference.from_dict(told[name]) for name in ("features", "scores")}
        return cls(**{**told, **parts})


def measure(
    then: AtTraining, features: pl.DataFrame, model: Scorer | None, psi_limit: float, auc_limit: float
) -> pl.DataFrame:
    """``MEASURES`` of the KOLs as they are now.

    Args:
        features: the newest row of every KOL.
        model: the one that ``then`` is of; none: it does not give probabilities, and features alone are compared.
        psi_limit: see ``Reference.moves``.
        auc_limit: fall of the estimated AUC beyond which it counts, if it is more than chance too.
    """
    found = [_moved("feature", then.features.moves(features, psi_limit))]
    if model is not None and then.scores is not None:
        scores = model.score(features)
        found.append(_moved("score", then.scores.moves(scores.select(SCORE), psi_limit)))
        found.append(_expected(then, scores["probability"].to_numpy(), auc_limit))
    return pl.concat(found)


def served(now: Mapping[str, float], at_training: Mapping[str, float]) -> pl.DataFrame:
    """``MEASURES`` of forecasts that were served: drifted where a day-old value did as well, or intervals miss.

    Args:
        now: as ``judge_batch`` gives.
        at_training: the champion's figures on its untouched hours.
    """
    worse = {"rmsle": now["rmsle"] >= now["naive_rmsle"], "coverage_90": now["coverage_90"] < COVERED}
    rows = [
        ("forecast", name, value, at_training.get(name), None, worse.get(name, False))
        for name, value in now.items()
        if not math.isnan(value)  # a day of silence
    ]
    return pl.DataFrame(rows, schema=MEASURES, orient="row")


def alerts_of(measures: pl.DataFrame, model: str, day: datetime, at: datetime) -> pl.DataFrame:
    """One alert a rule that something broke, as ``ALERT_SCHEMA``, about ``model:NAME`` and this day.

    Args:
        model: its label, NAME:VERSION.
        day: its midnight; with the rule it is the alert's identity, so a repeated run raises none again.
    """
    rows = []
    for kind, rule in RULES.items():
        broken = measures.filter(pl.col("drifted") & (pl.col("kind") == kind))
        if broken.height:
            subject = f"model:{model.partition(':')[0]}"
            alert_id = hashlib.sha256(f"{rule}|{subject}|{day.isoformat()}".encode()).hexdigest()[:32]
            evidence = json.dumps(_evidence(kind, model, broken, measures))
            rows.append((alert_id, rule, subject, "1d", day, SEVERITY[kind], evidence, at))
    return pl.DataFrame(rows, schema=ALERT_SCHEMA, orient="row")


def midnight(at: datetime) -> datetime:
    """Of the day an aware time is in."""
    return at - timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def _moved(kind: str, moves: pl.DataFrame) -> pl.DataFrame:
    rows = moves.with_columns(kind=pl.lit(kind), value="psi", before=None)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in MEASURES.items())


def _expected(then: AtTraining, probability: Any, auc_limit: float) -> pl.DataFrame:
    now = estimate_auc(probability)
    fell = False
    if now is not None and then.estimated_auc is not None and then.estimated_sd is not None:
        chance = SDS * (now.sd**2 + then.estimated_sd**2) ** 0.5
        fell = then.estimated_auc - now.auc > max(auc_limit, chance)
    rows = [
        ("auc", "estimated", now and now.auc, then.estimated_auc, None, fell),
        ("auc", "untouched fold", then.test_auc, None, None, False),
    ]
    return pl.DataFrame(rows, schema=MEASURES, orient="row")


def _evidence(kind: str, model: str, broken: pl.DataFrame, measures: pl.DataFrame) -> dict[str, Any]:
    if kind == "forecast":
        row = broken.row(0, named=True)
        told = dict(measures.filter(kind="forecast").select("name", pl.col("value").round(4)).iter_rows())
        return {"model": model, "metric": row["name"], "value": round(row["value"], 4), "served": told}
    if kind == "auc":
        known = {row["name"]: row for row in measures.filter(kind="auc").iter_rows(named=True)}
        estimated = known["estimated"]
        return {
            "model": model,
            "metric": "estimated_auc",
            "value": round(estimated["value"], 4),
            "at_training": round(estimated["before"], 4),
            "untouched_fold": round(known["untouched fold"]["value"], 4),
        }
    psi = {name: round(value, 4) for name, value in broken.head(SHOWN).select("name", "value").iter_rows()}
    return {"model": model, "metric": "psi", "value": max(psi.values()), "drifted": broken.height, "psi": psi}
