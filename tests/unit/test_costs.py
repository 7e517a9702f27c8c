"""The costs are measured at all: how large they are is for ``kolray bench`` to say."""

from __future__ import annotations

import polars as pl

from kolray.benchmarks.costs import comment_us, random_features, score_us
from kolray.features import FEATURE_SCHEMA


def test_a_comment_and_a_score_have_a_cost() -> None:
    assert comment_us(n=50) > 0
    assert score_us(n=200) > 0


def test_random_features_are_the_same_each_time() -> None:
    assert random_features(3, 1).equals(random_features(3, 1))
    assert random_features(3, 1).schema == pl.Schema(FEATURE_SCHEMA)
