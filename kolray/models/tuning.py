"""Tuning from the lake to a challenger: search on the training data, then judge once on what is untouched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from kolray.lake.reference import current
from kolray.lake.tables import LakeTables, Root, place_of
from kolray.models.lifecycle import SEED, SOURCES, Kind, Submission, Trained, complete_hours, newest_features, submit
from kolray.models.lifecycle import train as train_kind
from kolray.models.registry import ModelRegistry
from kolray.models.search_log import SearchLog
from kolray.models.space import Space
from kolray.models.success.covariates import lake_covariates
from kolray.models.success.design import HOURLY
from kolray.models.success.prophet import Prophets
from kolray.models.success.space import SPACE as SUCCESS
from kolray.models.success.train import learnt_from
from kolray.models.success.trial import ForecastTrial, Rehearsal
from kolray.models.trial import Trial
from kolray.models.trust.space import SPACE as TRUST
from kolray.models.trust.train import part
from kolray.models.trust.trial import BoosterTrial
from kolray.settings import Settings


@dataclass(frozen=True)
class Tried:
    """A trial: its parameters with the best of its rounds, and its loss on what it did not see of the training data."""

    trial: str
    params: dict[str, Any]
    loss: float
    rounds_done: int


@dataclass(frozen=True)
class TuningReport:
    """Both figures: ``inner`` losses of what was searched by, ``test`` metrics of the untouched fold or hours.

    ``kept``: the tuned parameters have the lower loss there. It judges once, and never chose among the trials.
    """

    n_trials: int
    params: dict[str, Any]
    inner: dict[str, float]
    test: dict[str, dict[str, float]]
    kept: bool
    reason: str

    def metrics(self) -> dict[str, float]:
        inner = {f"inner_loss_{who}": loss for who, loss in self.inner.items()}
        return inner | {f"test_{name}_{who}": value for who, own in self.test.items() for name, value in own.items()}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Tunable:
    """What a kind's search needs.

    Attributes:
        make: a trial of some parameters.
        train: trains and judges with some parameters, or the defaults.
        data: names what trials learn from.
        loss: what both losses are called.
    """

    space: Space
    make: Callable[[dict[str, Any]], Trial]
    train: Callable[[dict[str, Any] | None], Trained]
    data: str
    loss: str

    def id(self, seed: int) -> str:
        """Names the data, the seed and the space of a search: it may be resumed on no others."""
        return hashlib.sha256(f"{self.data} {(seed, self.space)!r}".encode()).hexdigest()[:12]


def tunable(kind: Kind, lake_root: Root, seed: int, prophets: Prophets | None = None) -> Tunable:
    """A kind's search on what the lake holds now.

    Args:
        prophets: what the success model is trained with besides.

    Raises:
        NotFoundError: the lake holds nothing to train on.
        InvalidInputError: too few labels or hours.
    """
    held = LakeTables(lake_root).versions(*SOURCES[kind])
    train = partial(train_kind, kind, lake_root, seed, versions=held, prophets=prophets)
    if kind == "trust":
        labels = current(lake_root, "labels", version=held.get("ref.labels"))
        accounts = part(newest_features(lake_root, held.get("gold.features")), labels, seed).train
        data = hashlib.sha256(accounts.x.tobytes() + accounts.y.tobytes()).hexdigest()
        return Tunable(TRUST, partial(BoosterTrial, accounts, seed=seed), train, data, "log-loss")
    panels = learnt_from(complete_hours(lake_root, held), lake_covariates(lake_root, held))
    rehearsal = Rehearsal.of(panels, HOURLY, seed)
    return Tunable(SUCCESS, partial(ForecastTrial, rehearsal, seed=seed), train, rehearsal.digest(), "relative MASE")


def tune(
    settings: Settings, kind: Kind, n_trials: int, seed: int = SEED, *, resume: bool = False
) -> tuple[TuningReport, Submission | None]:
    """Searches, judges, and where tuned parameters won: keeps them for later trainings and submits their model.

    Args:
        resume: goes on with the newest search that was killed; its finished trials are not run again.

    Raises:
        NotFoundError: the lake holds nothing to train on, or nothing is there to resume.
        InvalidInputError: too little to train on, or what is to be resumed was over other data.
    """
    from kolray.local.cluster import join_ray
    from kolray.models.success.prophet_ray import prophets_of
    from kolray.models.tuner import search

    registry = ModelRegistry.of(settings)
    own = tunable(kind, settings.lake_root, seed, prophets_of(settings.models))
    log = SearchLog.unfinished(registry, kind, own.id(seed)) if resume else None
    log = log or SearchLog.begin(registry, kind, own.id(seed), n_trials)
    join_ray()
    tried = search(f"{place_of(settings.model_runs)}/{log.parent}", own.make, own.space, seed, log)
    report, trained = judge_search(tried, own)
    submission = None
    if report.kept:
        registry.keep_params(kind, report.params)
        submission = submit(registry, kind, trained)
    log.finish(report.to_dict(), report.metrics())
    return report, submission


def judge_search(tried: Sequence[Tried], own: Tunable) -> tuple[TuningReport, Trained]:
    """Trains with the defaults and with the best trial's parameters, and compares them on what is untouched.

    Returns:
        the report, and the model of the parameters that are better there.
    """
    best = min(tried, key=lambda one: (one.loss, one.trial))
    started = [one.loss for one in tried if all(one.params[name] == v for name, v in own.space.defaults.items())]
    plain, tuned = (own.train(params) for params in (None, best.params))
    kept = tuned.loss < plain.loss
    told = f"{own.loss} {tuned.loss:.4f} tuned, {plain.loss:.4f} with the defaults, on the untouched data"
    report = TuningReport(
        n_trials=len(tried),
        params=best.params,
        inner={"tuned": best.loss} | ({"defaults": min(started)} if started else {}),
        test={"tuned": tuned.report.test, "defaults": plain.report.test},
        kept=kept,
        reason=f"{'kept' if kept else 'the defaults stay'}: {told}",
    )
    return report, tuned if kept else plain
