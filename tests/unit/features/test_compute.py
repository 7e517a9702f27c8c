"""Features: one definition, point in time, the same whatever the order, within their declared ranges."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.features import FEATURE_NAMES, FEATURE_SCHEMA, FEATURES, compute_features
from tests.silver import SILVER_SOCIAL, SILVER_WEB, START, silver_world

AS_OF = START + timedelta(hours=60)
SOCIAL, WEB = silver_world(n_kols=12, events_per_kol=240)
BASE = compute_features(SOCIAL.lazy(), WEB.lazy(), AS_OF)


def test_at_least_forty_features_are_declared_once_and_fully():
    assert len(FEATURES) >= 40
    assert len(set(FEATURE_NAMES)) == len(FEATURES)
    for feature in FEATURES:
        assert feature.unit
        assert feature.source
        assert feature.null_rule
        assert feature.doc.endswith(".")


def test_one_row_a_kol_in_the_declared_schema():
    assert dict(BASE.schema) == FEATURE_SCHEMA
    assert BASE["kol_id"].to_list() == [f"kol-{k:04d}" for k in range(12)]


@pytest.mark.parametrize("feature", FEATURES, ids=FEATURE_NAMES)
def test_values_are_within_the_declared_range_and_present_for_an_active_kol(feature):
    values = BASE[feature.name]
    assert values.null_count() == 0
    assert feature.low is None or values.min() >= feature.low
    assert feature.high is None or values.max() <= feature.high


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_permuting_the_events_changes_nothing(seed):
    permuted = compute_features(
        SOCIAL.sample(fraction=1, shuffle=True, seed=seed).lazy(),
        WEB.sample(fraction=1, shuffle=True, seed=seed).lazy(),
        AS_OF,
    )
    assert_frame_equal(permuted, BASE, check_exact=True)


def test_events_of_the_future_change_nothing():
    before = pl.col("event_time") < AS_OF
    known = pl.col("available_at") <= AS_OF
    past = compute_features(SOCIAL.filter(before & known).lazy(), WEB.filter(before & known).lazy(), AS_OF)
    assert SOCIAL.filter(before & known).height < SOCIAL.height
    assert_frame_equal(past, BASE, check_exact=True)


def test_an_event_counts_only_from_when_it_was_available():
    arrived_late = SOCIAL.with_columns(
        available_at=pl.lit(AS_OF + timedelta(seconds=1)).cast(SILVER_SOCIAL["available_at"])
    )
    features = compute_features(arrived_late.lazy(), WEB.lazy(), AS_OF)
    assert features["followers"].null_count() == features.height


def test_no_events_give_no_rows_in_the_same_schema():
    empty = compute_features(pl.LazyFrame(schema=SILVER_SOCIAL), pl.LazyFrame(schema=SILVER_WEB), AS_OF)
    assert dict(empty.schema) == FEATURE_SCHEMA
    assert empty.height == 0


def test_a_missing_denominator_is_null_never_zero_or_infinite():
    silent = SOCIAL.with_columns(pl.lit(0, pl.Int64).alias(c) for c in ("impressions", "likes", "views", "following"))
    features = compute_features(silent.lazy(), WEB.lazy(), AS_OF)
    for name in ("engagement_rate", "comments_per_like", "likes_per_view", "followers_per_following"):
        assert features[name].null_count() == features.height


def test_a_kol_seen_only_on_the_web_has_a_row():
    features = compute_features(pl.LazyFrame(schema=SILVER_SOCIAL), WEB.lazy(), AS_OF)
    assert features.height > 0
    assert features["web_ctr"].null_count() == 0


def test_known_values_of_a_small_account():
    rows = [
        {"event_type": "profile", "followers": 1000, "following": 10, "h": 1},
        {"event_type": "profile", "followers": 1500, "following": 20, "h": 11},
        {"event_type": "engagement", "impressions": 100, "likes": 8, "comments": 2, "shares": 0, "h": 2},
        {"event_type": "comment", "text": "Nice", "author_id": "a", "sentiment": 1, "h": 3},
        {"event_type": "comment", "text": "nice ", "author_id": "a", "sentiment": 1, "h": 4},
        {"event_type": "comment", "text": "follow me back", "author_id": "b", "sentiment": 0, "h": 5},
    ]
    events = pl.DataFrame(
        [
            {**r, "event_id": str(i), "kol_id": "k", "event_time": START + timedelta(hours=h)}
            for i, r in enumerate(rows)
            for h in [r.pop("h")]
        ],
        infer_schema_length=None,
    ).with_columns(available_at="event_time")
    missing = [pl.lit(None).alias(c) for c in SILVER_SOCIAL if c not in events.columns]
    social = events.with_columns(missing).select(pl.col(c).cast(t) for c, t in SILVER_SOCIAL.items())
    row = compute_features(social.lazy(), pl.LazyFrame(schema=SILVER_WEB), AS_OF).row(0, named=True)
    assert row["followers"] == 1500
    assert row["follower_velocity"] == pytest.approx(50 / 1500)
    assert row["follower_jump_share"] == 1
    assert row["following_churn"] == pytest.approx(0.5)
    assert row["engagement_rate"] == pytest.approx(0.1)
    assert row["comment_repetition"] == pytest.approx(1 / 3)
    assert row["author_top_share"] == pytest.approx(2 / 3)
    assert row["spam_share"] == pytest.approx(1 / 3)
    assert row["web_ctr"] is None
