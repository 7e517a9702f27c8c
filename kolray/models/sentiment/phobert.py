"""PhoBERT, and any other sequence classifier of transformers, as a ``TextClassifier``. Needs ``kolray[transformers]``.

PhoBERT (Nguyen and Nguyen 2020, arXiv 2003.00744) reads Vietnamese whose words are segmented: syllables of a word are
joined by ``_`` before its fastBPE (``vocab.txt``, ``bpe.codes``) cuts them up. It was trained on words by VnCoreNLP,
which needs Java; underthesea's are close. Other models, as multilingual BERT, read texts as they stand.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kolray.errors import InvalidInputError, NotFoundError, SettingsError
from kolray.models.sentiment.labelled import NAMES, named
from kolray.models.sentiment.spelling import Floats

MAX_LENGTH = 256
"""Tokens of a text, its marks of beginning and end included; PhoBERT has no more positions."""
BATCH = 32
Segment = Callable[[str], str]
"""A text → the same with the syllables of each word joined by ``_``, words and signs apart by spaces."""


class TransformerClassifier:
    """A model with its tokenizer; a ``TextClassifier``.

    Args:
        model: a sequence classifier of transformers whose ``id2label`` names sentiments.
        tokenizer: its tokenizer.
        segment: applied to each text before; None: texts as they stand.

    Raises:
        InvalidInputError: the model's labels are no sentiments.
    """

    def __init__(self, model: Any, tokenizer: Any, segment: Segment | None) -> None:
        self.model, self.tokenizer, self.segment = model, tokenizer, segment
        self.labels = _sentiments(model.config.id2label)
        self.max_length = _max_length(model.config, tokenizer)

    @classmethod
    def load(
        cls, source: str | Path, labels: list[int] | None = None, segment: Segment | None = None
    ) -> TransformerClassifier:
        """From a local folder or a hub's name.

        Args:
            labels: sentiments for a new head, where the weights are those of a language model; None: the head it has.
            segment: instead of the usual one, which is underthesea's for PhoBERT and none for others.

        Raises:
            SettingsError: the extra is not installed.
            NotFoundError: neither the folder nor the hub has such a model.
        """
        try:
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise SettingsError(
                "transformers and torch are not installed: pip install 'kolray[transformers]'"
            ) from error
        head: dict[str, Any] = {}
        if labels is not None:
            told = [NAMES[label] for label in labels]
            head = {"id2label": dict(enumerate(told)), "label2id": {name: place for place, name in enumerate(told)}}
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(source))
            model = AutoModelForSequenceClassification.from_pretrained(
                str(source), ignore_mismatched_sizes=labels is not None, **head
            )
        except OSError as error:
            raise NotFoundError(f"no model at {source}: give its folder, or its name on the hub") from error
        return cls(model.eval(), tokenizer, segment or usual_segment(tokenizer))

    @cached_property
    def version(self) -> str:
        """A hash of the weights, as they are when it is first asked for."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return f"transformer-{digest.hexdigest()[:12]}"

    def classify(self, texts: pl.Series) -> pl.Series:
        """Int8 sentiment of each text; null and blank texts are 0."""
        said = texts.cast(pl.String).fill_null("").str.strip_chars()
        sentiment = np.array(self.labels, np.int8)[self.logits(said.to_list()).argmax(axis=1)]
        sentiment[(said == "").to_numpy()] = 0
        return pl.Series(texts.name, sentiment, dtype=pl.Int8)

    def logits(self, texts: list[str]) -> Floats:
        """Shape (texts, labels); texts of like length share a batch, so that little is padded."""
        import torch

        encoded = self.encode(texts)
        order = sorted(range(len(texts)), key=lambda place: len(encoded[place]))
        found = np.zeros((len(texts), len(self.labels)), np.float32)
        with torch.inference_mode():
            for begin in range(0, len(order), BATCH):
                rows = order[begin : begin + BATCH]
                found[rows] = self.model(**self.pad([encoded[row] for row in rows])).logits.float().cpu().numpy()
        return found

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Token numbers of each text with the marks of beginning and end, at most ``max_length``."""
        if not texts:
            return []
        said = texts if self.segment is None else [self.segment(text) for text in texts]
        tokens: list[list[int]] = self.tokenizer(said, truncation=True, max_length=self.max_length)["input_ids"]
        return tokens

    def pad(self, encoded: list[list[int]]) -> dict[str, Any]:
        """A batch as tensors on the model's device, as long as its longest text."""
        batch = self.tokenizer.pad({"input_ids": encoded}, return_tensors="pt")
        return {name: tensor.to(self.model.device) for name, tensor in batch.items()}

    def save(self, folder: Path) -> None:
        """Model and tokenizer, for ``load``."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def to_files(self) -> dict[str, bytes]:
        """What the registry keeps."""
        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder))
            return {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}


def usual_segment(tokenizer: Any) -> Segment | None:
    """underthesea's words for PhoBERT; None for tokenizers that read texts as they stand."""
    return segment_words if type(tokenizer).__name__.startswith("Phobert") else None


def segment_words(text: str) -> str:
    """Vietnamese words by underthesea (Apache 2.0; its model ships in its wheel).

    A text that has ``_`` already is taken as segmented.
    """
    if "_" in text:
        return text
    try:
        from underthesea import word_tokenize
    except ImportError as error:
        raise SettingsError("PhoBERT needs a word segmenter: pip install 'kolray[transformers]'") from error
    return str(word_tokenize(text, format="text"))


def _sentiments(id2label: dict[int, str]) -> tuple[int, ...]:
    """Of each of a model's labels; ``LABEL_0`` and so on are taken as ascending."""
    told = [str(id2label[place]) for place in sorted(id2label)]
    if all(name.startswith("LABEL_") for name in told) and len(told) in (2, 3):
        return (-1, 1) if len(told) == 2 else (-1, 0, 1)
    found = tuple(label for name in told if (label := named(name.lower())) is not None)
    if len(found) != len(told) or len(set(found)) != len(found):
        raise InvalidInputError(f"labels {', '.join(told)} of the model are no sentiments: fine-tune it first")
    return found


def _max_length(config: Any, tokenizer: Any) -> int:
    """RoBERTa's positions begin after that of the pad."""
    positions = getattr(config, "max_position_embeddings", MAX_LENGTH + 2)
    reserved = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta") else 0
    return int(min(MAX_LENGTH, tokenizer.model_max_length, positions - reserved))
