"""From the lake to a champion: read the inputs, train, register, promote or say why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

import polars as pl

from kolray.errors import NotFoundError, PromotionRefusedError
from kolray.lake.reference import current
from kolray.lake.tables import LakeTables, Root
from kolray.models.audit import Audit
from kolray.models.card import CARD, model_card
from kolray.models.drift import Reference
from kolray.models.monitor import AtTraining
from kolray.models.plots import forecast_plot, horizons_plot, precision_plot, reliability_plot, roc_plot
from kolray.models.provenance import provenance
from kolray.models.registry import CHALLENGER, CHAMPION, ModelRegistry
from kolray.models.sentiment.trained import TrainedSentiment
from kolray.models.success import SuccessReport, TrainedSuccess, train_success
from kolray.models.success.covariates import lake_covariates
from kolray.models.success.prophet import Prophets
from kolray.models.success.series import HOUR
from kolray.models.trust import TrainedTrust, train_trust
from kolray.models.trust.members import BoosterFit, fit_booster

Kind = Literal["trust", "success"]
SEED = 7
KINDS: tuple[Kind, ...] = ("trust", "success")
SOURCES: dict[Kind, tuple[str, ...]] = {
    "trust": ("gold.features", "ref.labels"),
    "success": ("gold.kpi_hourly", "gold.features", "gold.scores", "ref.kols", "ref.campaigns"),
}
"""Tables that a training reads; the version of each is noted with the model."""
Trained = TrainedTrust | TrainedSuccess
Registered = Literal["trust", "trust-accounts", "success", "sentiment"]
"""What the registry keeps; sentiment and trust in accounts are trained on files, not on the lake."""


@dataclass(frozen=True)
class Submission:
    """What became of a trained model: ``promoted`` to champion, or ``reason`` why not."""

    kind: str
    version: int
    promoted: bool
    reason: str
    report: dict[str, Any]


def newest_features(lake_root: Root, version: int | None = None) -> pl.DataFrame:
    """The newest row of each KOL in ``gold.features``, in its newest or a given version.

    Raises:
        NotFoundError: there is none yet.
    """
    rows = LakeTables(lake_root).scan("gold.features", version).sort("as_of").unique("kol_id", keep="last").collect()
    if not rows.height:
        raise NotFoundError(f"the lake at {lake_root} holds no features; run `kolray lake gold`")
    return rows.drop("dt", strict=False).sort("kol_id")


def complete_hours(
    lake_root: Root, versions: Mapping[str, int] = MappingProxyType({}), newest: timedelta | None = None
) -> pl.DataFrame:
    """``gold.kpi_hourly`` without the hour that was still open when gold last ran; ``newest``: of so long at its end.

    Raises:
        NotFoundError: there is none yet.
    """
    tables = LakeTables(lake_root)
    rows = tables.scan("gold.kpi_hourly", versions.get("gold.kpi_hourly"))
    as_of = tables.scan("gold.features", versions.get("gold.features")).select(pl.col("as_of").max()).collect().item()
    whole = rows if as_of is None else rows.filter(pl.col("hour") + HOUR <= as_of)
    last: datetime | None = whole.select(pl.col("hour").max()).collect().item()
    if last is None:
        raise NotFoundError(f"the lake at {lake_root} holds no whole hour of KPIs; run `kolray lake gold`")
    if newest is not None:
        since = last - newest
        whole = whole.filter(pl.col("dt") >= since.date(), pl.col("hour") > since)
    return whole.collect()


def train(
    kind: Kind,
    lake_root: Root,
    seed: int = SEED,
    params: dict[str, Any] | None = None,
    versions: Mapping[str, int] | None = None,
    fit: BoosterFit = fit_booster,
    prophets: Prophets | None = None,
    hold_back: timedelta = timedelta(0),
) -> Trained:
    """Trains on what the lake holds now, or held. Plain: a test, a command and a Ray task call the same.

    Args:
        params: over the model's defaults, as tuning kept them.
        versions: of the tables in ``SOURCES``, as an earlier training noted them; none: the newest.
        fit: fits a booster of the trust model.
        prophets: fits Prophet to important series of the success model.
        hold_back: of the success model: the newest hours that it is not to learn from.
    """
    held = dict(versions or LakeTables(lake_root).versions(*SOURCES[kind]))
    if kind == "trust":
        features = newest_features(lake_root, held.get("gold.features"))
        labels = current(lake_root, "labels", version=held.get("ref.labels"))
        judged = train_trust(features, labels, seed, params, fit).among(features, held, seed)
        return judged.by_groups(current(lake_root, "kols"))
    hours = complete_hours(lake_root, held)
    hours = hours.filter(pl.col("hour") <= pl.col("hour").max() - hold_back)
    trained = train_success(hours, seed, params, lake_covariates(lake_root, held), prophets)
    try:
        then = Reference.of(newest_features(lake_root, held.get("gold.features")))
    except NotFoundError:  # hours are enough to train it
        then = Reference({}, {})
    return replace(trained, reference=AtTraining(then, data=dict(held), seed=seed))


def submit(registry: ModelRegistry, kind: Registered, trained: Trained | TrainedSentiment) -> Submission:
    """Registers a trained model as challenger and makes it champion if it wins on its untouched fold."""
    report = trained.report.to_dict()
    version = register(registry, kind, trained)
    try:
        reason = promote(registry, kind, version)
    except PromotionRefusedError as refusal:
        return Submission(kind, version, False, str(refusal), report)
    return Submission(kind, version, True, reason, report)


def register(registry: ModelRegistry, kind: Registered, trained: Trained | TrainedSentiment) -> int:
    """Registers a trained model as challenger, with its figures, plots, card and how the champion did on its fold."""
    report = trained.report
    champion = registry.alias_version(kind, CHAMPION)
    verdict = {"loss": trained.loss, "beats_baseline": report.beats_baseline}
    if champion is not None:
        verdict |= {"champion": champion, "champion_loss": trained.loss_of(registry.load(kind).model)}
    version = registry.register(
        kind,
        trained.model,
        metrics=report.metrics(),
        params=report.params,
        report=report.to_dict(),
        figures=_figures(trained),
        curves=report.curves() if isinstance(report, SuccessReport) else {},
        tags={name: str(value) for name, value in verdict.items()} | _provenance(trained),
        reference=None if trained.reference is None else asdict(trained.reference),
    )
    if not isinstance(trained, TrainedSentiment):
        names = trained.model.feature_names if isinstance(trained, TrainedTrust) else trained.model.design.names
        write_card(registry, kind, version, report.to_dict(), len(names))
    return version


def write_card(
    registry: ModelRegistry,
    kind: str,
    version: int,
    report: Mapping[str, Any],
    n_features: int,
    ablation: Sequence[Mapping[str, Any]] = (),
) -> None:
    """The model card of a version, in place of an earlier one."""
    card = model_card(kind, version, report, registry.tags(kind, version), n_features, ablation)
    registry.attach(kind, version, {CARD: card})


def _provenance(trained: Trained | TrainedSentiment) -> dict[str, str]:
    then = trained.reference
    names = trained.model.feature_names if isinstance(trained, TrainedTrust) else ()
    return provenance(names, then.data if then else {}, then.seed if then else None)


def _figures(trained: Trained | TrainedSentiment) -> dict[str, Any]:
    if isinstance(trained, TrainedTrust):
        report = trained.report
        return {
            "reliability.png": reliability_plot(report),
            "roc.png": roc_plot(report),
            "precision_recall.png": precision_plot(report),
        }
    if isinstance(trained, TrainedSuccess):
        return {"forecast.png": forecast_plot(trained.report), "horizons.png": horizons_plot(trained.report)}
    return {}


def promote(registry: ModelRegistry, kind: Registered, version: int | None = None) -> str:
    """Makes a challenger (default: the newest) champion, and adds it to the trail; returns why.

    Raises:
        NotFoundError: nothing was trained yet.
        PromotionRefusedError: it did not beat the champion or the trivial baseline on its untouched fold, or it was
            judged against another champion than today's.
    """
    version = version if version is not None else registry.alias_version(kind, CHALLENGER)
    if version is None:
        raise NotFoundError(f"no {kind} model to promote: train one with `kolray models train {kind}`")
    reason = judge(kind, version, registry.alias_version(kind, CHAMPION), registry.tags(kind, version))
    registry.set_alias(kind, version, CHAMPION)
    Audit(registry, kind, version).add("promoted", reason=reason)
    return reason


def judge(kind: str, version: int, champion: int | None, tags: Mapping[str, str]) -> str:
    """Why ``version`` may be champion, from what was noted when it was registered (pure).

    The first champion need not beat the baseline, since some answer must be served; the reason then says so.

    Raises:
        PromotionRefusedError: as ``promote``.
    """
    who = f"{kind} {version}"
    if champion == version:
        raise PromotionRefusedError(f"{who} is the champion already")
    beats = tags.get("beats_baseline") == "True"
    if champion is None:
        return "first champion" + (
            "" if beats else ", although it does not beat the trivial baseline: do not rely on it"
        )
    if not beats:
        raise PromotionRefusedError(
            f"{who} does not beat the trivial baseline on its untouched fold: train on more data"
        )
    if tags.get("champion") != str(champion):
        raise PromotionRefusedError(f"{who} was not judged against today's champion {champion}: train again")
    loss, best = float(tags["loss"]), float(tags["champion_loss"])
    if not loss < best:
        raise PromotionRefusedError(
            f"{who} does not beat champion {champion} on the untouched fold (loss {loss:.4f} against {best:.4f}); the "
            "champion stays"
        )
    return f"beats champion {champion} on the untouched fold (loss {loss:.4f} against {best:.4f})"
