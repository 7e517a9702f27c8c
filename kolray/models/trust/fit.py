"""Fits the stack on labelled rows: members out of fold, non-negative stacking, calibration on rows no member saw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from kolray.features import FEATURES, comments
from kolray.features.accounts import TEXT_FEATURES as TEXT_NAMES
from kolray.models.metrics import Floats, Labels
from kolray.models.splits import Rows, stratified_folds
from kolray.models.trust.additive import fit_additive
from kolray.models.trust.calibration import IDENTITY, choose_calibrator
from kolray.models.trust.members import BoosterFit, Boosters, IsolationForest, Member, fit_booster
from kolray.models.trust.model import Seen, TrustModel
from kolray.models.trust.share import FakeShare, fit_fake_share
from kolray.models.trust.stack import choose_members, fit_stack

BOOSTER, FOREST, ADDITIVE, TEXT = "xgboost", "isolation_forest", "additive", "text"
TEXT_FEATURES = frozenset({*(f.name for f in FEATURES if f.source == comments.SOURCE), *TEXT_NAMES})
"""What ``text``, an additive member too, looks at: what is said in comments and profiles, and by whom."""
N_FOLDS = 5


class Accounts(NamedTuple):
    """Rows to learn from: features (NaN = missing), labels, and a number shared by rows that must not be parted.

    ``share``: the part of the followers that is no real audience, 0-1, NaN where nobody counted; None: of no row.
    """

    x: Floats
    y: Labels
    groups: Rows
    share: Floats | None = None

    def rows(self, mask: NDArray[np.bool_]) -> Accounts:
        share = None if self.share is None else self.share[mask]
        return Accounts(self.x[mask], self.y[mask], self.groups[mask], share)


class OutOfFold(NamedTuple):
    """Members, and their scores of rows whose labels they did not see: (rows, members), in the order of ``members``."""

    members: dict[str, Member]
    scores: Floats
    folds: Rows


@dataclass(frozen=True)
class FittedTrust:
    """A model, the members' scores of rows that they did not see, what each gains, how calibration was chosen."""

    model: TrustModel
    members: tuple[str, ...]
    scores: Floats
    gains: dict[str, float]
    briers: dict[str, float]


def fit_trust(
    data: Accounts,
    names: tuple[str, ...],
    seed: int,
    params: dict[str, Any] | None = None,
    own: Accounts | None = None,
    fit: BoosterFit = fit_booster,
    without: frozenset[str] = frozenset(),
) -> FittedTrust:
    """Exact per seed.

    Args:
        data: what members and stack learn from.
        params: of the booster, over ``members.BOOSTER_DEFAULTS``.
        own: rows for the calibration alone. None: the calibration is cross-fitted, that is, chosen and fitted on the
            log-odds of each row by members and a stack that did not see it; for tables too small to give rows away.
        fit: fits one booster; the trainers' one does it on several nodes.
        without: members that are left out, to see what they are worth.

    Raises:
        InvalidInputError: a class has fewer rows than folds.
    """
    with threadpool_limits(1, "blas"):  # threads of tiny products spin for each other on shared cores
        fitted = _out_of_fold(data, names, params or {}, seed, fit, without)
        return _stacked(data, fitted, names, seed, own)


def _stacked(data: Accounts, fitted: OutOfFold, names: tuple[str, ...], seed: int, own: Accounts | None) -> FittedTrust:
    every = tuple(fitted.members)
    kept, gains = choose_members(every, fitted.scores, data.y, fitted.folds)
    scores = fitted.scores[:, [every.index(name) for name in kept]]
    stack = fit_stack(kept, scores, data.y)
    bare = TrustModel(names, {name: fitted.members[name] for name in kept}, stack, IDENTITY, Seen.of(data.x))
    if own is not None:
        odds, y = bare.fold_log_odds(own.x).mean(axis=1), own.y
    else:
        odds, y = _unseen_log_odds(kept, scores, data.y, fitted.folds), data.y
    calibrator, briers = choose_calibrator(odds, y, seed)
    share = _fake_share(data, fitted.folds, seed, own)
    model = replace(bare, calibrator=calibrator, share=share, version="")
    return FittedTrust(model, every, fitted.scores, gains, briers)


def _fake_share(data: Accounts, folds: Rows, seed: int, own: Accounts | None) -> FakeShare | None:
    if data.share is None:
        return None
    held_out = None if own is None or own.share is None else (own.x, own.share)
    return fit_fake_share(data.x, data.share, folds, seed, held_out)


def identical_rows(x: Floats) -> Rows:
    """A number for each row that identical rows share, so that no fold sees another's twin."""
    return np.unique(np.where(np.isnan(x), np.inf, x), axis=0, return_inverse=True)[1].reshape(-1)


def grouped(x: Floats, table: pl.DataFrame) -> Rows:
    """A number that identical rows share, rows of one ``account_id``, and rows that only others connect."""
    twins = identical_rows(x)
    if "account_id" not in table.columns:
        return twins
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ids = table["account_id"].fill_null(pl.Series([f"\x1f{row}" for row in range(table.height)]))
    same = ids.rank("dense").to_numpy().astype(np.int64) - 1
    n = len(x)
    edges = coo_matrix((np.ones(n), (twins, n + same)), shape=(2 * n, 2 * n))
    return connected_components(edges, directed=False)[1][twins].astype(np.int64)


def inner_folds(train: Accounts, seed: int) -> Rows:
    """The folds that members are fitted out of, and that tuning judges by."""
    return stratified_folds(train.y, N_FOLDS, seed + 1, train.groups)


def _out_of_fold(
    train: Accounts,
    names: tuple[str, ...],
    params: dict[str, Any],
    seed: int,
    fit: BoosterFit,
    without: frozenset[str],
) -> OutOfFold:
    folds = inner_folds(train, seed)
    boosters = []
    for fold in range(N_FOLDS):
        rest = folds != fold
        boosters.append(fit(train.x[rest], train.y[rest], params, seed + fold, list(names)))
    members: dict[str, Member] = {BOOSTER: Boosters.of(boosters), FOREST: IsolationForest.fit(train.x, seed)}
    columns = {ADDITIVE: np.arange(len(names)), TEXT: np.flatnonzero([name in TEXT_FEATURES for name in names])}
    for member, own in columns.items():
        if len(own):
            members[member] = fit_additive(train.x, train.y, folds, own, seed)
    members = {name: member for name, member in members.items() if name not in without}
    scores = [member.scores(train.x) for member in members.values()]
    unseen = [own[np.arange(len(own)), folds] if own.shape[1] > 1 else own[:, 0] for own in scores]
    return OutOfFold(members, np.stack(unseen, axis=1), folds)


def _unseen_log_odds(kept: tuple[str, ...], scores: Floats, y: Labels, folds: Rows) -> Floats:
    odds = np.empty(len(y))
    for fold in np.unique(folds):
        mine = folds == fold
        odds[mine] = fit_stack(kept, scores[~mine], y[~mine]).log_odds(scores[mine])
    return odds
