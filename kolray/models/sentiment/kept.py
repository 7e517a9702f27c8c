"""Sentiment models by version: one that was ever in force stays readable beside the checkpoints that name it."""

from __future__ import annotations

from dataclasses import dataclass

from kolray.models.sentiment.linear import LinearClassifier, default_classifier
from kolray.settings import S3Settings, Settings
from kolray.stream.objects import open_objects


@dataclass(frozen=True)
class KeptClassifiers:
    """Called, it gives the model for new comments, after putting a copy beside the checkpoints; ``find`` gives any.

    Args:
        checkpoints: a folder or an S3 address, as in the settings.
    """

    checkpoints: str
    s3: S3Settings

    def __call__(self) -> LinearClassifier:
        classifier = default_classifier()
        name = _name(classifier.version)
        objects = open_objects(self.checkpoints, self.s3)
        if objects.get(name) is None:
            objects.put(name, classifier.to_bytes())
        return classifier

    def find(self, version: str) -> LinearClassifier | None:
        """The model of that version, or None where it is not kept."""
        if version == default_classifier().version:
            return default_classifier()
        data = open_objects(self.checkpoints, self.s3).get(_name(version))
        return None if data is None else LinearClassifier.from_bytes(data)


def _name(version: str) -> str:
    return f"sentiment/{version}.npz"


def kept_classifiers(settings: Settings) -> KeptClassifiers:
    """Those of the checkpoints the settings name."""
    return KeptClassifiers(settings.checkpoints, settings.s3)
