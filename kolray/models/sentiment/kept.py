"""Sentiment models by version: one that was ever in force stays readable beside the checkpoints that name it."""

from __future__ import annotations

from dataclasses import dataclass

from kolray.errors import ServiceUnavailableError
from kolray.models.registry import CHAMPION, ModelRegistry
from kolray.models.sentiment.linear import LinearClassifier, default_classifier
from kolray.models.sentiment.stored import Trained, file_name, pack, unpack
from kolray.settings import S3Settings, Settings
from kolray.stream.objects import Objects, open_objects

NAME = "sentiment"
_NEWEST = f"{NAME}/newest"


def current_classifier(registry: ModelRegistry) -> LinearClassifier | Trained:
    """The champion, or the classifier that ships while there is none."""
    if registry.alias_version(NAME, CHAMPION) is None:
        return default_classifier()
    model: Trained = registry.load(NAME, CHAMPION).model
    return model


@dataclass(frozen=True)
class KeptClassifiers:
    """Called, it gives the model for new comments, after putting a copy beside the checkpoints; ``find`` gives any.

    While the registry does not answer, the model for new comments is the one that was given last.

    Args:
        checkpoints: a folder or an S3 address, as in the settings.
        registry: whose champion it is; without one, the classifier that ships.
    """

    checkpoints: str
    s3: S3Settings
    registry: ModelRegistry | None = None

    def __call__(self) -> LinearClassifier | Trained:
        objects = open_objects(self.checkpoints, self.s3)
        try:
            classifier = default_classifier() if self.registry is None else current_classifier(self.registry)
        except ServiceUnavailableError:
            last = self._last(objects)
            if last is None:
                raise
            return last
        _keep(objects, classifier)
        return classifier

    def find(self, version: str) -> LinearClassifier | Trained | None:
        """The model of that version, or None where it is not kept."""
        if version == default_classifier().version:
            return default_classifier()
        data = open_objects(self.checkpoints, self.s3).get(_name(version))
        return None if data is None else unpack(version, data)

    def _last(self, objects: Objects) -> LinearClassifier | Trained | None:
        version = objects.get(_NEWEST)
        return None if version is None else self.find(version.decode())


def _keep(objects: Objects, classifier: LinearClassifier | Trained) -> None:
    name = _name(classifier.version)
    if objects.get(name) is None:
        objects.put(name, pack(classifier))
    if objects.get(_NEWEST) != classifier.version.encode():
        objects.put(_NEWEST, classifier.version.encode())


def _name(version: str) -> str:
    return f"{NAME}/{file_name(version)}"


def kept_classifiers(settings: Settings) -> KeptClassifiers:
    """Those of the checkpoints and of the registry the settings name."""
    registry = ModelRegistry.of(settings)
    return KeptClassifiers(settings.checkpoints, settings.s3, registry)
