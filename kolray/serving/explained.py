"""What a trust model says of one KOL, as the HTTP contract says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from kolray.models.trust import TrustModel
from kolray.models.trust.explanation import explain
from kolray.models.trust.model import SHARE_COLUMNS, feature_row
from kolray.serving.contracts import (
    CalibrationAnswer,
    Contribution,
    CounterfactualAnswer,
    FakeShareAnswer,
    FeatureSource,
    ScoreAnswer,
)
from kolray.serving.feature_sources import Features


def explained(model: TrustModel, features: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``ScoreAnswer`` that ``explain`` asks for."""
    found = explain(model, feature_row(features, model.feature_names))
    other = found.counterfactual
    return {
        "contributions": [Contribution(**vars(part)) for part in found.parts],  # asdict copies each value first
        "calibration": CalibrationAnswer(**vars(found.calibration)),
        "counterfactual": None if other is None else CounterfactualAnswer(**asdict(other)),
    }


def score_answer(
    scored: Mapping[str, Any],
    features: Features,
    model: str,
    expected: float | None,
    now: datetime,
    as_of: datetime | None = None,
    **more: Any,
) -> ScoreAnswer:
    """Of a row of ``TrustModel.answer`` and where its features came from; ``more``: what ``explained`` gave."""
    age_s = ((as_of or now) - features.as_of).total_seconds()
    return ScoreAnswer(
        kol_id=scored["kol_id"],
        trust_score=round(scored["trust_score"], 2),
        trust_interval=(round(scored["lower"], 2), round(scored["upper"], 2)),
        probability=round(scored["probability"], 4),
        thin_data=scored["thin"],
        fake_share=_fake_share(scored),
        success_forecast=None if expected is None else round(expected, 1),
        timestamp=now,
        model=model,
        features=FeatureSource(source=features.source, stale=features.stale, age_s=round(age_s, 1)),
        **more,
    )


def _fake_share(scored: Mapping[str, Any]) -> FakeShareAnswer | None:
    """Of a row of ``TrustModel.answer``."""
    share, lower, upper = (scored[name] for name in SHARE_COLUMNS)
    return None if share is None else FakeShareAnswer(share=share, lower=lower, upper=upper)
