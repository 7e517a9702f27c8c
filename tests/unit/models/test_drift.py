"""Drift: what moved is found and named, chance and what nobody changed are not."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from kolray.models.drift import Reference

THRESHOLD = 0.25


def _population(n: int, seed: int) -> pl.DataFrame:
    """A heavy tail, a share that is mostly 0, a flag, a feature that half the KOLs lack, and one nobody has."""
    rng = np.random.default_rng(seed)
    spam = np.where(rng.random(n) < 0.8, 0.0, rng.random(n))
    rows = {
        "kol_id": [f"k{i}" for i in range(n)],
        "followers": np.exp(rng.normal(9, 2, n)).astype(np.int64),
        "spam_share": spam,
        "verified": rng.random(n) < 0.03,
        "jump": pl.Series(rng.normal(size=n)).set(pl.Series(rng.random(n) < 0.5), None),
        "nobody": pl.Series([None] * n, dtype=pl.Float64),
    }
    return pl.DataFrame(rows)


def _psi(reference: Reference, now: pl.DataFrame) -> dict[str, float]:
    return dict(reference.moves(now, THRESHOLD).select("name", "psi").iter_rows())


THEN = _population(2000, seed=1)
REFERENCE = Reference.of(THEN)


def test_the_same_rows_have_no_psi_and_another_sample_has_little():
    assert _psi(REFERENCE, THEN) == pytest.approx(dict.fromkeys(REFERENCE.edges, 0.0))
    assert max(_psi(REFERENCE, _population(2000, seed=2)).values()) < 0.05


@pytest.mark.parametrize(
    ("feature", "moved"),
    [
        ("followers", pl.col("followers") * 8),
        ("spam_share", pl.col("spam_share") * 0 + 0.3),
        ("verified", ~pl.col("verified")),
        ("jump", pl.lit(None, pl.Float64)),
        ("nobody", pl.lit(1.0)),
    ],
)
def test_a_feature_that_moved_is_the_only_one_named(feature, moved):
    now = _population(2000, seed=2).with_columns(moved.alias(feature))
    assert list(REFERENCE.drifted(now, THRESHOLD)) == [feature]
    assert REFERENCE.drifted(now, threshold=100) == {}


def test_a_feature_that_is_gone_has_drifted_and_a_new_one_has_not():
    now = THEN.drop("followers").with_columns(fresh=pl.lit(1))
    assert list(REFERENCE.drifted(now, THRESHOLD)) == ["followers"]


@given(n=st.integers(1, 60), m=st.integers(0, 60), seed=st.integers(0, 10_000))
def test_few_kols_that_did_not_change_have_not_drifted(n, m, seed):
    assert Reference.of(_population(n, seed)).drifted(_population(m, seed + 1), THRESHOLD) == {}


def test_psi_is_the_sum_of_its_definition():
    reference = Reference(edges={"f": [1.0]}, counts={"f": [80, 20, 0]})
    now = pl.DataFrame({"f": [1.0] * 40 + [2.0] * 60})
    then, share = (np.array(c) / 101.5 for c in ([80.5, 20.5, 0.5], [40.5, 60.5, 0.5]))
    assert _psi(reference, now)["f"] == pytest.approx(((share - then) * np.log(share / then)).sum())


def test_it_survives_json():
    assert Reference.from_dict(json.loads(json.dumps(asdict(REFERENCE)))) == REFERENCE


def test_what_did_not_move_is_called_moved_no_more_often_than_said():
    """Of 100 pairs of samples one by one: the bound holds for all features together, and 0.001 is nearly never."""
    reference = Reference.of(_population(300, seed=1000))
    moved = [reference.moves(_population(300, seed), threshold=0.0)["drifted"].any() for seed in range(100)]
    assert sum(moved) <= 2


def test_the_p_value_is_that_of_two_samples():
    reference = Reference(edges={"f": [1.0]}, counts={"f": [80, 20, 0]})
    [(name, _, p, drifted)] = reference.moves(pl.DataFrame({"f": [1.0] * 40 + [2.0] * 60}), THRESHOLD).iter_rows()
    # (80, 20) against (40, 60): chi-squared = 200 * (80 * 60 - 20 * 40)² / (100 * 100 * 120 * 80)
    assert (name, drifted) == ("f", True)
    assert p == pytest.approx(chi2.sf(200 * 4000**2 / (100 * 100 * 120 * 80), df=1))
