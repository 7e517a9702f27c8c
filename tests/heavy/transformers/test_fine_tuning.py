"""Fine-tuning a tiny twin in this process: it learns, stops early, goes on where it stood, and is kept exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from kolray.errors import InvalidInputError
from kolray.models.sentiment.phobert import TransformerClassifier
from kolray.models.sentiment.phobert_fit import FineTuner, FineTuning, load_tuned
from kolray.models.sentiment.stored import pack, unpack
from kolray.protocols import TextClassifier
from tests.heavy.transformers.twin import toy_comments

pytestmark = pytest.mark.heavy
LABELS = [-1, 0, 1]
QUICK = FineTuning(epochs=12, batch=16, rate=2e-3, patience=12)
TRAIN, DEV = toy_comments(240, seed=1), toy_comments(90, seed=2)


def tuner(source: Path, how: FineTuning = QUICK) -> FineTuner:
    torch.manual_seed(1)
    return FineTuner(TransformerClassifier.load(source, LABELS), TRAIN, DEV, how)


@pytest.mark.parametrize("twin", ["phobert", "bert"])
def test_a_twin_learns_and_is_kept_exactly(twin: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    tuned = tuner(request.getfixturevalue(twin))
    epochs = [tuned.run_epoch() for _ in range(12)]
    assert epochs[-1]["loss"] < epochs[0]["loss"] / 2
    assert epochs[-1]["dev_macro_f1"] > 0.8
    tuned.save(tmp_path)
    loaded = load_tuned(tmp_path)
    texts = [*DEV["text"].to_list(), "", "một câu lạ"]
    np.testing.assert_array_equal(loaded.logits(texts), tuned.classifier.logits(texts))
    assert loaded.version == tuned.classifier.version
    assert unpack(loaded.version, pack(loaded)).version == loaded.version
    classifier: TextClassifier = loaded
    assert classifier.classify(pl.Series(["shop tốt", None, "  "])).to_list() == [1, 0, 0]


def test_a_text_is_judged_alike_alone_and_padded(phobert: Path) -> None:
    model = TransformerClassifier.load(phobert, LABELS)
    texts = [*TRAIN["text"].head(40).to_list(), "tốt " * 60]
    alone = np.concatenate([model.logits([text]) for text in texts])
    np.testing.assert_allclose(model.logits(texts), alone, atol=1e-5)


def test_training_goes_on_where_it_stood(phobert: Path, tmp_path: Path) -> None:
    whole, first = tuner(phobert), tuner(phobert)
    for _ in range(2):
        whole.run_epoch()
        first.run_epoch()
    first.save(tmp_path)
    second = tuner(phobert)
    second.restore(tmp_path)
    assert second.progress.epoch == 2
    assert second.progress == whole.progress
    after = second.run_epoch()
    assert after["epoch"] == 3
    assert after == whole.run_epoch()


def test_it_stops_when_dev_does_not_improve(phobert: Path) -> None:
    still = tuner(phobert, FineTuning(epochs=50, batch=64, rate=0.0, patience=2))
    while not still.progress.ended(still.how):
        still.run_epoch()
    assert still.progress.epoch == 3  # the first is the best, two are no better


def test_a_head_without_sentiments_is_refused(phobert: Path, tmp_path: Path) -> None:
    model = TransformerClassifier.load(phobert, LABELS)
    model.model.config.id2label = {0: "spam", 1: "ham", 2: "eggs"}
    model.save(tmp_path)
    with pytest.raises(InvalidInputError, match="spam, ham, eggs of the model are no sentiments"):
        TransformerClassifier.load(tmp_path)
