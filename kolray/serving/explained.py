"""What a trust model says of one KOL, as the HTTP contract says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import polars as pl

from kolray.models.trust import TrustModel
from kolray.models.trust.explanation import explain
from kolray.models.trust.model import SHARE_COLUMNS
from kolray.serving.contracts import CalibrationAnswer, Contribution, CounterfactualAnswer, FakeShareAnswer


def explained(model: TrustModel, features: pl.DataFrame) -> dict[str, Any]:
    """The fields of ``ScoreAnswer`` that ``explain`` asks for, of the first row."""
    found = explain(model, features)
    other = found.counterfactual
    return {
        "contributions": [Contribution(**asdict(part)) for part in found.parts],
        "calibration": CalibrationAnswer(**asdict(found.calibration)),
        "counterfactual": None if other is None else CounterfactualAnswer(**asdict(other)),
    }


def fake_share_answer(scored: Mapping[str, Any]) -> FakeShareAnswer | None:
    """Of a row of ``TrustModel.answer``."""
    share, lower, upper = (scored[name] for name in SHARE_COLUMNS)
    return None if share is None else FakeShareAnswer(share=share, lower=lower, upper=upper)
