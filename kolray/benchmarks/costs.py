"""What a comment and a score cost beside the stream, in microseconds of CPU; the stream's own figures have neither."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import polars as pl

from kolray.clock import SystemClock
from kolray.features import FEATURE_NAMES, FEATURE_SCHEMA
from kolray.models.publish import score_all
from kolray.models.registry import LoadedModel
from kolray.models.sentiment import default_classifier
from kolray.models.sentiment.corpus import make_corpus
from kolray.models.trust import train_trust
from kolray.protocols import TextClassifier

AT = datetime(2026, 1, 5, tzinfo=UTC)
ROUNDS = 5


def comment_us(classifier: TextClassifier | None = None, n: int = 4000, seed: int = 7) -> float:
    """A comment's sentiment, in batches of ``n`` generated comments of real length; default: the shipped classifier."""
    texts = make_corpus(n, seed)["text"]
    chosen = classifier or default_classifier()
    return _us(lambda: chosen.classify(texts), n)


def score_us(n: int = 2000, seed: int = 7) -> float:
    """A KOL's trust score with its record, in batches of ``n``, by a model trained on random features."""
    features = random_features(n, seed)
    labels = features.select("kol_id", label=(pl.col("followers") > 0.7).cast(pl.Int8))
    trust = LoadedModel(train_trust(features, labels, seed).model, "trust", 1)
    clock = SystemClock()
    return _us(lambda: score_all(features, trust, clock), n)


def random_features(n: int, seed: int) -> pl.DataFrame:
    """``FEATURE_SCHEMA`` of ``n`` KOLs, each feature in 0–1."""
    values = np.random.default_rng(seed).random((n, len(FEATURE_NAMES)))
    frame = pl.DataFrame(values, schema=list(FEATURE_NAMES))
    kols = pl.format("kol_{}", pl.int_range(n).cast(pl.String).str.zfill(6)).alias("kol_id")
    return frame.with_columns(kols, as_of=pl.lit(AT)).select(*FEATURE_SCHEMA).cast(pl.Schema(FEATURE_SCHEMA))


def _us(work: Callable[[], object], n: int) -> float:
    """CPU microseconds for each of ``n``, the best of some rounds after one that warms up."""
    took = []
    for _ in range(ROUNDS + 1):
        started = time.process_time()
        work()
        took.append(time.process_time() - started)
    return round(min(took[1:]) * 1e6 / n, 2)
