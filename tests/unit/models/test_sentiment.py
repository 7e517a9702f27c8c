"""The shipped sentiment classifier: minimum functionality, invariance, determinism."""

from __future__ import annotations

import pickle

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kolray.models.sentiment import LinearClassifier, default_classifier
from kolray.models.sentiment.corpus import make_corpus
from kolray.models.sentiment.ngrams import strip_diacritics
from kolray.models.sentiment.train import fit


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("đẹp quá trời luôn", 1),
        ("video rất hay và bổ ích", 1),
        ("this is great, love it!", 1),
        ("lừa đảo, đừng mua", -1),
        ("giáo viên dạy khó hiểu", -1),
        ("this is terrible", -1),
        ("giá bao nhiêu vậy shop", 0),
        ("where can i buy this?", 0),
        ("", 0),
        ("   ", 0),
        (None, 0),
    ],
)
def test_plain_opinions_are_understood(text, sentiment):
    assert default_classifier().classify(pl.Series([text], dtype=pl.String)).to_list() == [sentiment]


def test_a_negated_word_changes_sides():
    texts = pl.Series(["đẹp", "không đẹp", "good", "not good"])
    assert default_classifier().classify(texts).to_list() == [1, -1, 1, -1]


def test_unseen_generated_comments_are_judged_with_and_without_diacritics():
    unseen = make_corpus(6000, seed=99)
    assert (default_classifier().classify(unseen["text"]) == unseen["label"]).mean() > 0.95
    bare = unseen.filter(pl.col("lang") == "vi")
    assert (default_classifier().classify(strip_diacritics(bare["text"])) == bare["label"]).mean() > 0.92


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=20))
def test_a_text_is_judged_alike_alone_and_in_any_batch(texts):
    classifier = default_classifier()
    together = classifier.classify(pl.Series(texts, dtype=pl.String))
    alone = [classifier.classify(pl.Series([t], dtype=pl.String))[0] for t in texts]
    assert together.dtype == pl.Int8
    assert together.to_list() == alone


def test_training_twice_gives_the_same_version_and_survives_bytes_and_pickle():
    corpus = make_corpus(600, seed=1)
    one, two = fit(corpus["text"], corpus["label"]), fit(corpus["text"], corpus["label"])
    assert one.version == two.version
    assert LinearClassifier.from_bytes(one.to_bytes()).version == one.version
    assert pickle.loads(pickle.dumps(one)).version == one.version  # noqa: S301


def test_two_classes_are_enough_to_train_on():
    corpus = make_corpus(600, seed=1).filter(pl.col("label") != 0)
    classifier = fit(corpus["text"], corpus["label"])
    assert (classifier.classify(corpus["text"]) == corpus["label"]).mean() > 0.95
