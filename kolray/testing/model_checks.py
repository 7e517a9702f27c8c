"""Checks every trust model passes: adding a model means adding it to one list."""

from __future__ import annotations

import pickle

import polars as pl
from polars.testing import assert_frame_equal

from kolray.protocols import Scorer

COLUMNS = {"kol_id": pl.String, **dict.fromkeys(("trust_score", "lower", "upper", "probability"), pl.Float64)}


def check_scorer(scorer: Scorer, features: pl.DataFrame) -> None:
    """Runs all checks on rows like those the scorer was trained on (``kol_id`` and features, 10 rows or more)."""
    for check in (
        check_answers_every_row_within_range,
        check_rows_do_not_influence_each_other,
        check_vanishing_and_emerging_features,
        check_no_rows,
        check_input_is_left_alone,
        check_survives_pickle,
    ):
        check(scorer, features)


def check_answers_every_row_within_range(scorer: Scorer, features: pl.DataFrame) -> None:
    """One row a KOL in order; 0-100 and higher is more trustworthy; the interval contains the score."""
    scores = scorer.score(features)
    assert dict(scores.schema) == COLUMNS
    assert scores["kol_id"].to_list() == features["kol_id"].to_list()
    assert scores.null_count().sum_horizontal().item() == 0
    assert scores["probability"].is_between(0, 1).all()
    assert ((scores["trust_score"] - 100 * (1 - scores["probability"])).abs() < 1e-9).all()
    assert (scores["lower"] <= scores["trust_score"] + 1e-9).all()
    assert (scores["trust_score"] <= scores["upper"] + 1e-9).all()
    assert scores["lower"].min() >= 0  # type: ignore[operator]
    assert scores["upper"].max() <= 100  # type: ignore[operator]
    assert scorer.version


def check_rows_do_not_influence_each_other(scorer: Scorer, features: pl.DataFrame) -> None:
    """A KOL's score is the same alone, in a batch and in another order."""
    scores = scorer.score(features)
    assert_frame_equal(scorer.score(features.reverse()).reverse(), scores, rel_tol=1e-9)
    alone = pl.concat([scorer.score(features[i : i + 1]) for i in range(min(5, features.height))])
    assert_frame_equal(alone, scores.head(alone.height), rel_tol=1e-9)


def check_vanishing_and_emerging_features(scorer: Scorer, features: pl.DataFrame) -> None:
    """Absent columns are as null ones; unknown ones change nothing; nothing known still gives an answer."""
    values = [c for c in features.columns if c != "kol_id"]
    some = values[::3]
    nulled = features.with_columns(pl.lit(None, pl.Float64).alias(c) for c in some)
    assert_frame_equal(scorer.score(features.drop(some)), scorer.score(nulled))
    extra = features.with_columns(a_feature_of_tomorrow=pl.lit(1.0))
    assert_frame_equal(scorer.score(extra), scorer.score(features))
    check_answers_every_row_within_range(scorer, features.select("kol_id"))


def check_no_rows(scorer: Scorer, features: pl.DataFrame) -> None:
    """No rows give no rows, in the same schema."""
    scores = scorer.score(features.clear())
    assert dict(scores.schema) == COLUMNS
    assert scores.height == 0


def check_input_is_left_alone(scorer: Scorer, features: pl.DataFrame) -> None:
    """The caller's frame is not changed."""
    before = features.clone()
    scorer.score(features)
    assert_frame_equal(features, before)


def check_survives_pickle(scorer: Scorer, features: pl.DataFrame) -> None:
    """Ray sends models between processes: the copy scores bit for bit alike."""
    copy: Scorer = pickle.loads(pickle.dumps(scorer))  # noqa: S301
    assert copy.version == scorer.version
    assert_frame_equal(copy.score(features), scorer.score(features), check_exact=True)
