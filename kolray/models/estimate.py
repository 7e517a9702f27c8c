"""How well a calibrated model must be doing, from its probabilities alone: no labels (pure).

Each KOL with probability p counts p times as a bought audience and 1 - p times as an honest one; the AUC of these
weighted halves is the one to expect. That is confidence-based performance estimation (CBPE; Kivimäki, Białek, Kuberski
and Nurminen, Performance Estimation in Binary Classification Using Calibrated Confidence, 2025). It holds as far as
the calibration does: it sees KOLs become harder to tell apart, not a world in which the same features mean otherwise.
Probabilities that are clipped (``calibration.CLIP``) never promise certainty, so neither does the estimate: of a model
that is nearly perfect it says about 0.99.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kolray.models.metrics import Floats

DRAWS = 200


@dataclass(frozen=True)
class AucEstimate:
    """``auc`` expected; ``sd``: how far the true one lies from it by the luck of the labels; of ``n`` KOLs."""

    auc: float
    sd: float
    n: int


def estimate_auc(probability: Floats, seed: int = 0) -> AucEstimate | None:
    """The AUC to expect of calibrated probabilities of label 1; none where fewer than two labels are to be expected.

    E = Σ p_i (1 - p_j) [p_i > p_j, a tie counts half] over Σ p_i (1 - p_j), both over pairs i ≠ j. ``sd`` is that of
    the AUC over ``DRAWS`` sets of labels drawn from the probabilities. Exact per seed.
    """
    from sklearn.metrics import roc_auc_score

    n, of_one = len(probability), probability.sum()
    if min(of_one, n - of_one) < 1:
        return None
    halves = np.repeat([1, 0], n), np.tile(probability, 2), np.concatenate([probability, 1 - probability])
    pairs, own = of_one * (n - of_one), float((probability * (1 - probability)).sum())
    with_own = roc_auc_score(halves[0], halves[1], sample_weight=halves[2])
    auc = (with_own * pairs - own / 2) / (pairs - own)
    return AucEstimate(float(auc), _spread(probability, seed), n)


def _spread(probability: Floats, seed: int) -> float:
    """Of drawn AUCs, by midranks; draws of one label alone have none and are left out."""
    from scipy.stats import rankdata

    rng, ranks = np.random.default_rng(seed), rankdata(probability)
    aucs = []
    for _ in range(DRAWS):
        drawn = rng.random(len(ranks)) < probability
        ones, zeros = int(drawn.sum()), int((~drawn).sum())
        if ones and zeros:
            aucs.append((ranks[drawn].sum() - ones * (ones + 1) / 2) / (ones * zeros))
    return float(np.std(aucs)) if aucs else 0.0
