"""Who scores a KOL beside a challenger: always the same model, and the champion where the challenger fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from kolray.errors import NotFoundError
from kolray.models.champions import Champions
from kolray.models.registry import CHALLENGER, LoadedModel
from kolray.serving.canary import Canary

KOLS = [f"kol_{n:06d}" for n in range(5_000)]
FEATURES = {"posts_per_day": 1.0}


class Model:
    """Scores everybody alike, or fails."""

    def __init__(self, score: float | None) -> None:
        self.score = score

    def answer(self, rows: pl.DataFrame) -> pl.DataFrame:
        if self.score is None:
            raise ValueError("no such feature")
        return rows.with_columns(trust_score=pl.lit(self.score))

    def answer_one(self, kol_id: str, features: Mapping[str, Any]) -> dict[str, Any]:
        return self.answer(pl.DataFrame([{"kol_id": kol_id, **features}])).row(0, named=True)


class Registry:
    """Versions and aliases, as ``ModelRegistry`` has them."""

    def __init__(self, champion: int | None, challenger: int | None, scores: dict[int, float | None]) -> None:
        self.aliases, self.scores = {"champion": champion, CHALLENGER: challenger}, scores

    def alias_version(self, name: str, alias: str) -> int | None:
        return self.aliases[alias]

    def load(self, name: str, alias: str) -> LoadedModel:
        return self.load_version(name, self.aliases[alias] or 0)

    def load_version(self, name: str, version: int) -> LoadedModel:
        return LoadedModel(Model(self.scores[version]), name, version)


def _canary(registry: Registry, percent: float, *, shadow: bool = False) -> Canary:
    champions = Champions(registry, names=("trust",))  # type: ignore[arg-type]
    champions.refresh()
    challengers = Champions(registry, names=("trust",), alias=CHALLENGER)  # type: ignore[arg-type]
    made = Canary(champions, challengers, percent, shadow=shadow)
    made.parts = champions, challengers  # type: ignore[attr-defined]
    return made


def _challenged(canary: Canary) -> set[str]:
    return {kol_id for kol_id in KOLS if canary.model(kol_id).label == "trust:2"}


@pytest.fixture
def registry() -> Registry:
    return Registry(1, 2, {1: 60.0, 2: 63.0})


def test_a_share_of_the_kols_has_the_challenger_and_keeps_it_when_the_share_grows(registry: Registry) -> None:
    canary = _canary(registry, 5)
    small = _challenged(canary)
    assert len(small) == pytest.approx(250, abs=50)
    assert small == _challenged(_canary(registry, 5)), "on every replica the same"
    canary.steer(20, shadow=False)
    assert small < _challenged(canary)
    canary.steer(0, shadow=False)
    assert not _challenged(canary)
    parts = canary.split(KOLS)
    assert [(model.label, len(theirs)) for model, theirs in parts] == [("trust:1", len(KOLS))]


def test_promotion_leaves_nothing_to_choose(registry: Registry) -> None:
    canary = _canary(registry, 50)
    assert _challenged(canary)
    registry.aliases["champion"] = 2
    for each in canary.parts:  # type: ignore[attr-defined]
        each.refresh()
    assert _challenged(canary) == set(KOLS)
    assert canary._challenger() is None


def test_the_champion_answers_for_a_challenger_that_fails(registry: Registry) -> None:
    registry.scores[2] = None
    canary = _canary(registry, 100)
    model, scored = canary.answer("k", FEATURES)
    assert (model.label, scored["trust_score"]) == ("trust:1", 60.0)
    assert _sample(canary, "kolray_challenger_failed_total") == 1
    registry.scores = {1: None, 2: None}
    with pytest.raises(ValueError, match="no such feature"):
        _canary(registry, 0).answer("k", FEATURES)


def test_in_the_shadow_the_challenger_is_compared_and_never_answers(registry: Registry) -> None:
    canary = _canary(registry, 0, shadow=True)
    assert {canary.answer(kol_id, FEATURES)[0].label for kol_id in KOLS[:10]} == {"trust:1"}
    canary._behind.shutdown(wait=True)
    assert _sample(canary, "kolray_shadow_difference_count") == 10
    assert _sample(canary, "kolray_shadow_difference_sum") == pytest.approx(30)


def test_without_a_challenger_or_a_champion(registry: Registry) -> None:
    registry.aliases[CHALLENGER] = None
    assert not _challenged(_canary(registry, 50, shadow=True))
    registry.aliases["champion"] = None
    with pytest.raises(NotFoundError, match="train one"):
        _canary(registry, 50).answer("k", FEATURES)


def _sample(canary: Canary, name: str) -> Any:
    return canary.registry.get_sample_value(name)
