"""Trained classifiers as files and as bytes, whatever their kind."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from kolray.models.sentiment.linear import LinearClassifier
from kolray.models.sentiment.model import FILE, SentimentModel
from kolray.models.sentiment.phobert import TransformerClassifier

Trained = SentimentModel | TransformerClassifier
"""What the registry keeps under the name ``sentiment``."""
_SHIPPED = "linear-"


class StoredSentiment:
    """The registry's loader."""

    @staticmethod
    def load(folder: Path) -> Trained:
        """What ``to_files`` gave, from files in ``folder``."""
        return SentimentModel.load(folder) if (folder / FILE).exists() else TransformerClassifier.load(folder)


def file_name(version: str) -> str:
    """Of the bytes of a classifier of that version."""
    return f"{version}.npz" if version.startswith(_SHIPPED) else f"{version}.zip"


def pack(classifier: LinearClassifier | Trained) -> bytes:
    """All of a classifier."""
    if isinstance(classifier, LinearClassifier):
        return classifier.to_bytes()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in classifier.to_files().items():
            packed.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def unpack(version: str, data: bytes) -> LinearClassifier | Trained:
    """What ``pack`` gave of a classifier of that version."""
    if version.startswith(_SHIPPED):
        return LinearClassifier.from_bytes(data)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(io.BytesIO(data)) as packed:
        packed.extractall(folder)
        return StoredSentiment.load(Path(folder))
