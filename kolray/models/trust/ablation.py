"""What each part of the trust model is worth: trained anew without it, judged on the same untouched fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from kolray.features import FEATURES
from kolray.features.accounts import FEATURES as ACCOUNT_FEATURES
from kolray.models.trust.train import TrainedTrust, part, train_trust


@dataclass(frozen=True)
class Without:
    """One part left out: a member, or ``features`` of one source; the figures are those of the untouched fold.

    A change is that figure less the whole model's: a part is worth having where ``log_loss_change`` is above 0.
    """

    without: str
    features: int
    auc: float
    log_loss: float
    ece: float
    auc_change: float
    log_loss_change: float
    ece_change: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def ablate(
    features: pl.DataFrame,
    labels: pl.DataFrame,
    seed: int,
    params: dict[str, Any] | None = None,
    on_part: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[TrainedTrust, list[Without]]:
    """The whole model, and a row for each member it kept and each group of features that vary.

    Args:
        on_part: told the trainings done and all.
    """
    names = part(features, labels, seed).names
    telling = [name for name in names if features[name].drop_nulls().n_unique() > 1]
    whole = train_trust(features, labels, seed, params)
    members = whole.model.stack.names
    groups = {group: own for group, own in feature_groups(telling).items() if len(own) < len(telling)}
    members = members if len(members) > 1 else ()
    n_all = 1 + len(members) + len(groups)
    on_part(1, n_all)
    rows = []
    for member in members:
        rest = train_trust(features, labels, seed, params, without=frozenset({member}))
        rows.append(_row(f"member {member}", 0, rest, whole))
        on_part(1 + len(rows), n_all)
    for group, own in groups.items():
        rest = train_trust(features.drop(own), labels, seed, params)
        rows.append(_row(f"features of {group}", len(own), rest, whole))
        on_part(1 + len(rows), n_all)
    return whole, rows


def feature_groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Source → its features among ``names``; where all come from one source, each feature by itself."""
    of = {feature.name: feature.source for feature in (*ACCOUNT_FEATURES, *FEATURES)}
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(of.get(name, "the table"), []).append(name)
    return groups if len(groups) > 1 else {name: [name] for name in names}


def _row(without: str, n_features: int, rest: TrainedTrust, whole: TrainedTrust) -> Without:
    found, held = rest.report.test, whole.report.test
    own = {metric: found[metric] for metric in ("auc", "log_loss", "ece")}
    changes = {f"{metric}_change": value - held[metric] for metric, value in own.items()}
    return Without(without, n_features, **own, **changes)
