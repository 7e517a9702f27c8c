"""Trust in accounts from a table instead of events: training, evaluation and scores of ``--accounts FILE``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from kolray.errors import InvalidInputError
from kolray.features.accounts import account_features
from kolray.models.provenance import rows_version
from kolray.models.trust.baseline import fit_stump
from kolray.models.trust.cross_validation import Judged, cross_validate, hold_out, judge
from kolray.models.trust.fit import Accounts, grouped
from kolray.models.trust.model import TrustModel, feature_matrix
from kolray.models.trust.train import MIN_OF_EACH_LABEL, TrainedTrust, train_trust

MODEL: Final = "trust-accounts"
"""Its name in the registry: a model of tables is no champion for KOLs known by events."""


def evaluate_accounts(
    table: pl.DataFrame, seed: int, on_fold: Callable[[int, int], None] = lambda _done, _all: None
) -> Judged:
    """Cross-validation on a labelled table (see ``cross_validate``)."""
    features = account_features(table)
    names = useful(features)
    return cross_validate(_data(features, table, names), names, seed, on_fold=on_fold)


def evaluate_on_test(table: pl.DataFrame, test: pl.DataFrame, seed: int) -> Judged:
    """Learns from ``table`` alone and judges ``test`` once."""
    features = account_features(table)
    names = useful(features)
    return hold_out(_data(features, table, names), _data(account_features(test), test, names), names, seed)


def evaluate_model(model: TrustModel, table: pl.DataFrame) -> Judged:
    """A registered model on a table; the baseline beside it is fitted on the table itself, in its favour."""
    data = _data(account_features(table), table, model.feature_names)
    return judge(model, fit_stump(data.x, data.y), data)


def train_accounts(
    table: pl.DataFrame, seed: int, params: dict[str, Any] | None = None, as_of: datetime | None = None
) -> TrainedTrust:
    """A model for the registry, judged on a fifth of the table that it did not see.

    Args:
        as_of: what the ages of the table count to, where they come from creation times.

    Raises:
        InvalidInputError: too few accounts of a label, or no column that says anything.
    """
    counts = [int((table["label"] == label).sum()) for label in (0, 1)]
    if min(counts) < MIN_OF_EACH_LABEL:
        raise InvalidInputError(
            f"a model needs at least {MIN_OF_EACH_LABEL} accounts of each label; the table has {counts[0]} real and "
            f"{counts[1]} fake ones: add more, or judge by `kolray models evaluate`, which needs ten of each"
        )
    features, labels = learnable(table)
    trained = train_trust(features, labels, seed, params)
    model = replace(trained.model, seen=replace(trained.model.seen, as_of=as_of), version="")
    return replace(trained, model=model).among(features, {"accounts": rows_version(table)}, seed)


def learnable(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features and labels as ``train_trust`` takes them; an id may occur twice, so rows are numbered."""
    features = account_features(table)
    rows = pl.format("{}", pl.int_range(pl.len()).cast(pl.String).str.zfill(12))
    features = features.select("kol_id", *useful(features)).with_columns(kol_id=rows)
    return features, pl.DataFrame({"kol_id": features["kol_id"], "label": table["label"]})


def useful(features: pl.DataFrame) -> tuple[str, ...]:
    """Features that say anything: not missing everywhere, not constant.

    Raises:
        InvalidInputError: none does.
    """
    names = [c for c in features.columns if c != "kol_id" and features[c].n_unique() > 1]
    if not names:
        raise InvalidInputError(
            "no column of the table says anything: all are constant, missing or text; name columns with --map"
        )
    return tuple(names)


def _data(features: pl.DataFrame, table: pl.DataFrame, names: tuple[str, ...]) -> Accounts:
    x = feature_matrix(features, names)
    return Accounts(x, table["label"].to_numpy().astype(np.int8), grouped(x, table))
