"""Comments with known sentiment, generated from phrase lists: the training text of the shipped classifier.

Exact per seed. Vietnamese comes with diacritics, without them, and in teencode, as people type it.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import numpy as np
import polars as pl

from kolray.models.sentiment.ngrams import strip_diacritics

_NAMES = {-1: "negative", 0: "neutral", 1: "positive"}


def make_corpus(n: int, seed: int) -> pl.DataFrame:
    """``n`` comments: ``text, label`` (-1, 0, 1), ``lang`` (vi, en); classes equally often, two thirds Vietnamese."""
    phrases = json.loads((resources.files(__package__) / "phrases.json").read_text(encoding="utf-8"))
    rng = np.random.default_rng(seed)
    labels = np.resize(np.array([-1, 0, 1]), n)
    languages = np.where(rng.random(n) < 2 / 3, "vi", "en").tolist()
    texts = [_comment(phrases, lang, int(label), rng) for lang, label in zip(languages, labels, strict=True)]
    frame = pl.DataFrame({"text": texts, "label": pl.Series(labels, dtype=pl.Int8), "lang": languages})
    bare = (pl.col("lang") == "vi") & pl.Series(rng.random(n) < 0.4)
    return frame.with_columns(text=pl.when(bare).then(strip_diacritics(frame["text"])).otherwise("text"))


def _comment(phrases: dict[str, Any], lang: str, label: int, rng: np.random.Generator) -> str:
    own, says = phrases[lang], phrases[lang][_NAMES[label]]
    words = _pick(says, rng)
    order = rng.random()  # a subject says nothing: it stands before or after every class
    if order < 0.45:
        joint = [" is ", " ", " looks ", " was ", ": "] if lang == "en" and label else [" "]
        words = _pick(own["subjects"], rng) + _pick(joint, rng) + words
    elif order < 0.65:
        words += " " + _pick(own["subjects"], rng).removeprefix("the ").removeprefix("this ")
    if label and rng.random() < 0.3:
        words += _pick([", ", " ", " và " if lang == "vi" else " and "], rng) + _pick(says, rng)
    if rng.random() < 0.15:  # small talk around an opinion does not change it
        words += _pick([", ", ". "], rng) + _pick(own["neutral"], rng)
    mark = _pick(phrases["marks"][_NAMES[label]], rng)
    text = _pick(own["before"], rng) + words + _pick(own["after"], rng) + mark
    if lang == "vi" and rng.random() < 0.25:
        text = " ".join(phrases["teencode"].get(word, word) for word in text.split(" "))
    return text.capitalize() if rng.random() < 0.3 else text


def _pick(options: list[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
