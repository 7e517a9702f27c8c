"""Which classifier judges new comments: the champion, the one that ships, or the last while the registry is away."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kolray.errors import ServiceUnavailableError
from kolray.models.registry import LoadedModel, ModelRegistry
from kolray.models.sentiment import KeptClassifiers, current_classifier, default_classifier
from kolray.models.sentiment.fit import fit_model
from kolray.models.sentiment.model import SentimentModel
from kolray.settings import S3Settings


class Registry(ModelRegistry):
    """Holds one champion, or none, or does not answer."""

    def __init__(self, champion: SentimentModel | None) -> None:
        self.champion, self.away = champion, False

    def alias_version(self, name: str, alias: str = "champion") -> int | None:
        if self.away:
            raise ServiceUnavailableError("MLflow", "nowhere", "start it")
        return None if self.champion is None else 1

    def load(self, name: str, alias: str = "champion") -> LoadedModel:
        return LoadedModel(self.champion, name, 1)


@pytest.fixture(scope="module")
def trained() -> SentimentModel:
    frame = pl.DataFrame({"text": ["good", "bad", "so good", "so bad"], "label": [1, -1, 1, -1]})
    return fit_model(frame, seed=7)


def test_the_champion_judges_and_before_one_the_classifier_that_ships(trained: SentimentModel) -> None:
    assert current_classifier(Registry(None)) is default_classifier()
    assert current_classifier(Registry(trained)) is trained


def test_while_the_registry_is_away_the_last_model_goes_on(trained: SentimentModel, tmp_path: Path) -> None:
    registry = Registry(trained)
    kept = KeptClassifiers(str(tmp_path), S3Settings(), registry)
    registry.away = True
    with pytest.raises(ServiceUnavailableError):
        kept()
    registry.away = False
    assert kept().version == trained.version
    registry.away = True
    last = kept()
    assert last.version == trained.version
    assert last.classify(pl.Series(["good", "bad"])).to_list() == [1, -1]


def test_a_champion_that_was_replaced_is_found_by_its_version(trained: SentimentModel, tmp_path: Path) -> None:
    registry = Registry(trained)
    kept = KeptClassifiers(str(tmp_path), S3Settings(), registry)
    kept()
    registry.champion = None
    assert kept() is default_classifier()
    found = kept.find(trained.version)
    assert found is not None
    assert found.version == trained.version
    assert kept.find("readers-unknown") is None
