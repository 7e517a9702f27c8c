"""Sentiment models by version: one that was ever in force stays readable beside the checkpoints that name it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kolray.models.sentiment.linear import LinearClassifier, default_classifier
from kolray.settings import Settings


@dataclass(frozen=True)
class KeptClassifiers:
    """Called, it gives the model for new comments, after putting a copy into ``folder``; ``find`` gives any of them."""

    folder: Path

    def __call__(self) -> LinearClassifier:
        classifier = default_classifier()
        place = self._place(classifier.version)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary = place.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_bytes(classifier.to_bytes())
            temporary.replace(place)  # shards start together: a reader sees all of it or nothing
        return classifier

    def find(self, version: str) -> LinearClassifier | None:
        """The model of that version, or None where it is not kept."""
        if version == default_classifier().version:
            return default_classifier()
        place = self._place(version)
        return LinearClassifier.from_bytes(place.read_bytes()) if place.exists() else None

    def _place(self, version: str) -> Path:
        return self.folder / f"{version}.npz"


def kept_classifiers(settings: Settings) -> KeptClassifiers:
    """Those of the checkpoints the settings name."""
    return KeptClassifiers(Path(settings.checkpoints) / "sentiment")
