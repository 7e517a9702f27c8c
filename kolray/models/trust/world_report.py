"""How well trust does on a generated world: beside a shallow tree, on fraud of a type it never saw, by group."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from kolray.connectors.generator import FRAUD_TYPES
from kolray.models.metrics import Floats, Labels, by_group
from kolray.models.splits import Rows, stratified_folds
from kolray.models.trust.cross_validation import MANY_FOLDS, cross_validate
from kolray.models.trust.fit import Accounts, fit_trust, identical_rows
from kolray.models.trust.members import IsolationForest
from kolray.models.trust.model import feature_matrix
from kolray.models.worlds import spread

TREE_DEPTH = 3
CHANCE_SEED = 1
TEST_FOLDS = (0, 1)
"""Folds of the honest that judge a model which never saw one type of fraud; it learns from the others."""


def judge_world(
    features: pl.DataFrame,
    truth: pl.DataFrame,
    names: tuple[str, ...],
    seed: int,
    on_fold: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, Any]:
    """The figures of ``Judged.metrics`` from 5 folds (``fake_share`` among them), and

    ``tree_auc``: a tree of depth 3 on the same folds; ``forest_auc``: the Isolation Forest alone, fitted on all rows
    without labels; ``by_platform``, ``by_tier``: ``n, auc, ece``, the ``ece_by_chance`` of so few, and the ``coverage``
    of the fake share's interval; ``by_type``: AUC of one type of fraud against the honest; ``leave_one_out``: the same
    by a model that never saw the type, on honest KOLs it did not see either.
    """
    rows = truth.join(features, on="kol_id", maintain_order="left")
    x, y = feature_matrix(rows, names), rows["label"].to_numpy().astype(np.int8)
    kind = rows["kind"].to_numpy()
    data = Accounts(x, y, identical_rows(x), rows["fake_share"].to_numpy())
    judged = cross_validate(data, names, seed, on_fold=on_fold, shape=(MANY_FOLDS, 1))
    said, told = judged.probability[0], judged.share[0]
    covered = (rows["fake_share"].to_numpy() >= told[:, 1]) & (rows["fake_share"].to_numpy() <= told[:, 2])
    folds = stratified_folds(y, MANY_FOLDS, seed, data.groups)
    unseen = spread(partial(_without_type, data._replace(share=None), names, kind, folds, seed), FRAUD_TYPES)
    return judged.metrics() | {
        "tree_auc": _auc(y, _tree(x, y, folds)),
        "forest_auc": _auc(y, IsolationForest.fit(x, seed).score(x)),
        "by_platform": _by_group(rows["platform"], y, said, covered),
        "by_tier": _by_group(rows["tier"], y, said, covered),
        "by_type": {fraud: _auc(*_against_honest(kind == fraud, y, said)) for fraud in FRAUD_TYPES},
        "leave_one_out": dict(zip(FRAUD_TYPES, unseen, strict=True)),
    }


def _auc(labels: Labels, score: Floats) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, score))


def _tree(x: Floats, y: Labels, folds: Rows) -> Floats:
    """What a shallow tree says of rows it did not see; missing values are the median."""
    from sklearn.tree import DecisionTreeClassifier

    known = np.where(np.isnan(x), np.nanmedian(np.where(np.isnan(x).all(axis=0), 0.0, x), axis=0), x)
    said = np.empty(len(y))
    for fold in np.unique(folds):
        mine = folds == fold
        tree = DecisionTreeClassifier(max_depth=TREE_DEPTH, random_state=0).fit(known[~mine], y[~mine])
        said[mine] = tree.predict_proba(known[mine])[:, 1]
    return said


def _without_type(
    data: Accounts, names: tuple[str, ...], kind: np.ndarray, folds: Rows, seed: int, fraud: str
) -> float:
    judging = np.isin(folds, TEST_FOLDS)
    mine, honest = kind == fraud, data.y == 0
    model = fit_trust(data.rows(~mine & ~(honest & judging)), names, seed).model
    test = mine | (honest & judging)
    return _auc(data.y[test], model.fold_log_odds(data.x[test]).mean(axis=1))


def _against_honest(fraud: np.ndarray, y: Labels, said: Floats) -> tuple[Labels, Floats]:
    rows = fraud | (y == 0)
    return y[rows], said[rows]


def _by_group(group: pl.Series, y: Labels, said: Floats, covered: np.ndarray) -> dict[str, dict[str, float]]:
    """``n, auc, ece, ece_by_chance, coverage`` of each group that has both labels."""
    return {
        name: own | {"coverage": float(covered[group.eq_missing(name).to_numpy()].mean())}
        for name, own in by_group(group, y, said).items()
    }
