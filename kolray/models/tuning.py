"""Tuning from the lake to a challenger: search on the training accounts, then judge once on the untouched fold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from kolray.lake.reference import current
from kolray.lake.tables import LakeTables, place_of
from kolray.models.lifecycle import SEED, SOURCES, Submission, newest_features, submit
from kolray.models.registry import ModelRegistry
from kolray.models.search_log import SearchLog
from kolray.models.trust.fit import Accounts
from kolray.models.trust.space import SPACE, defaults
from kolray.models.trust.train import TrainedTrust, part, train_trust
from kolray.settings import Settings


@dataclass(frozen=True)
class Tried:
    """A trial: its parameters with the best of its rounds, and its log-loss out of fold on the training accounts."""

    trial: str
    params: dict[str, Any]
    loss: float
    rounds_done: int


@dataclass(frozen=True)
class TuningReport:
    """Both figures: ``inner`` log-loss of the folds searched by, ``test`` metrics of the untouched fold.

    ``kept``: the tuned parameters have the lower log-loss there. It judges once, and never chose among the trials.
    """

    n_trials: int
    params: dict[str, Any]
    inner: dict[str, float]
    test: dict[str, dict[str, float]]
    kept: bool
    reason: str

    def metrics(self) -> dict[str, float]:
        inner = {f"inner_log_loss_{who}": loss for who, loss in self.inner.items()}
        return inner | {f"test_{name}_{who}": value for who, own in self.test.items() for name, value in own.items()}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def tune_trust(
    settings: Settings, n_trials: int, seed: int = SEED, *, resume: bool = False
) -> tuple[TuningReport, Submission | None]:
    """Searches, judges, and where tuned parameters won: keeps them for later trainings and submits their model.

    Args:
        resume: goes on with the newest search that was killed; its finished trials are not run again.

    Raises:
        NotFoundError: the lake holds nothing to train on, or nothing is there to resume.
        InvalidInputError: too few labels, or what is to be resumed was over other accounts.
    """
    from kolray.local.cluster import join_ray
    from kolray.models.tuner import search

    registry = ModelRegistry.of(settings)
    held = LakeTables(settings.lake_root).versions(*SOURCES["trust"])
    features = newest_features(settings.lake_root, held.get("gold.features"))
    labels = current(settings.lake_root, "labels", version=held.get("ref.labels"))
    train = part(features, labels, seed).train
    name = search_id(train, seed)
    log = SearchLog.unfinished(registry, "trust", name) if resume else None
    log = log or SearchLog.begin(registry, "trust", name, n_trials)
    join_ray()
    tried = search(f"{place_of(settings.model_runs)}/{log.parent}", train, seed, log)
    report, trained = judge_search(tried, features, labels, seed)
    submission = None
    if report.kept:
        registry.keep_params("trust", report.params)
        submission = submit(registry, "trust", trained.among(features, held, seed))
    log.finish(report.to_dict(), report.metrics())
    return report, submission


def search_id(train: Accounts, seed: int) -> str:
    """Names the accounts, the seed and the space of a search: it may be resumed on no others."""
    parts = [train.x.tobytes(), train.y.tobytes(), repr((seed, SPACE)).encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def judge_search(
    tried: Sequence[Tried], features: pl.DataFrame, labels: pl.DataFrame, seed: int
) -> tuple[TuningReport, TrainedTrust]:
    """Trains with the defaults and with the best trial's parameters, and compares them on the untouched fold.

    Returns:
        the report, and the model of the parameters that are better there.
    """
    best = min(tried, key=lambda one: (one.loss, one.trial))
    started = [one.loss for one in tried if all(one.params[name] == value for name, value in defaults().items())]
    plain, tuned = (train_trust(features, labels, seed, params) for params in (None, best.params))
    kept = tuned.loss < plain.loss
    told = f"log-loss {tuned.loss:.4f} tuned, {plain.loss:.4f} with the defaults, on the untouched fold"
    report = TuningReport(
        n_trials=len(tried),
        params=best.params,
        inner={"tuned": best.loss} | ({"defaults": min(started)} if started else {}),
        test={"tuned": tuned.report.test, "defaults": plain.report.test},
        kept=kept,
        reason=f"{'kept' if kept else 'the defaults stay'}: {told}",
    )
    return report, tuned if kept else plain
