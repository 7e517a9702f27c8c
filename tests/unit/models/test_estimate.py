"""The estimated AUC is near the true one that no label told it of, and its spread says how near."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kolray.models.estimate import estimate_auc


def _calibrated(n: int, width: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and the labels they truly have; the wider the log-odds, the easier to tell apart."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(-1, width, n)))
    return p, rng.random(n) < p


@pytest.mark.parametrize("width", [0.5, 1.5, 4.0])
def test_it_is_near_the_true_auc(width):
    off = []
    for seed in range(20):
        p, labels = _calibrated(2000, width, seed)
        told = estimate_auc(p)
        assert told is not None
        off.append((roc_auc_score(labels, p) - told.auc) / told.sd)
    assert abs(np.mean(off)) < 1
    assert 0.5 < np.std(off) < 1.5, "the spread is that of the truth"


def test_it_is_the_mean_over_all_pairs():
    p = np.array([0.9, 0.6, 0.6, 0.1])
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    above = sum(p[i] * (1 - p[j]) * (1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0) for i, j in pairs)
    told = estimate_auc(p)
    assert told is not None
    assert told.auc == pytest.approx(above / sum(p[i] * (1 - p[j]) for i, j in pairs))


def test_a_model_that_tells_nothing_apart_is_expected_to_be_chance():
    told = estimate_auc(np.full(500, 0.3))
    assert told is not None
    assert told.auc == pytest.approx(0.5)
    assert told.sd == 0


@pytest.mark.parametrize("p", [np.empty(0), np.full(50, 0.005), np.full(50, 0.995)])
def test_one_kind_of_kol_alone_has_no_auc(p):
    assert estimate_auc(p) is None
