"""Training that the night finds due: a model that is old, or whose features have moved since it was trained."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from kolray.clock import Clock
from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.tables import Root
from kolray.models.lifecycle import Kind, newest_features
from kolray.models.monitor import AtTraining
from kolray.models.publish import publish_rankings, publish_scores
from kolray.models.registry import CHALLENGER, CHAMPION, ModelRegistry
from kolray.settings import ModelsSettings, Settings
from kolray.stores.open import open_feature_store, open_metrics_store

TOLD = 5
"""Drifted features that a reason names."""


def retrain(settings: Settings, clock: Clock, kind: Kind) -> dict[str, Any]:
    """Trains a model that is due, by the usual way with its refusals; then publishes what the champion says.

    That is done each night, trained or not: the features are new, and a run that was killed in between is made up for.
    A lake that has too little to train on, as one without labels, is no failure of the night.
    """
    registry = ModelRegistry.of(settings)
    try:
        told = _train_if_due(registry, settings, clock, kind)
    except (InvalidInputError, NotFoundError) as lack:
        told = {"skipped": str(lack)}
    if registry.alias_version(kind) is None:
        return told
    try:
        return told | {"published": _publish(settings, registry, kind)}
    except NotFoundError as nothing:
        return told | {"not published": str(nothing)}


def _train_if_due(registry: ModelRegistry, settings: Settings, clock: Clock, kind: Kind) -> dict[str, Any]:
    from kolray.local.cluster import join_ray
    from kolray.models.booster_trainer import BoosterTrainer
    from kolray.models.success.prophet_ray import prophets_of
    from kolray.models.trainers import train_on_ray

    due, why = judge_due(registry, kind, settings.lake_root, settings.models, clock)
    if not due:
        return {"skipped": why}
    join_ray()
    fit, prophets = BoosterTrainer.of(settings), prophets_of(settings.models)
    submission = asdict(train_on_ray([kind], settings.lake_root, registry, fit=fit, prophets=prophets)[kind])
    return {"because": why, **{name: submission[name] for name in ("version", "promoted", "reason")}}


def judge_due(
    registry: ModelRegistry, kind: Kind, lake_root: Root, settings: ModelsSettings, clock: Clock
) -> tuple[bool, str]:
    """Whether a model is to be trained again, and why or why not.

    Drift is that of ``gold.features`` since the champion was trained. Where a newer model was trained since and
    refused, the features must have moved from that one's too: the same training again would be refused again.
    """
    last = registry.trained_at(kind)
    if last is None:
        return True, "never trained"
    if clock.now() - last >= timedelta(days=settings.retrain_after_days):
        return True, f"trained {last:%Y-%m-%d %H:%M}, {settings.retrain_after_days:g} days ago or more"
    held = [registry.reference(kind, alias) for alias in (CHAMPION, CHALLENGER)]
    known = [AtTraining.from_dict(told) for told in held if told is not None]
    if len(known) < len(held):
        return False, f"trained {last:%Y-%m-%d %H:%M}; its features were not kept, so drift is not known"
    features = newest_features(lake_root)
    drifts = [then.features.drifted(features, settings.drift_psi) for then in known]
    if all(drifts):
        return True, f"drifted (PSI): {_told(drifts[0])}"
    if drifts[0]:
        why = f"drifted (PSI): {_told(drifts[0])}; but not since the newest training, which was refused"
    else:
        why = "no feature drifted"
    return False, f"trained {last:%Y-%m-%d %H:%M}; {why}"


def _told(drifted: dict[str, float]) -> str:
    shown = [f"{name} {value:.2f}" for name, value in list(drifted.items())[:TOLD]]
    return ", ".join(shown + ([f"and {len(drifted) - TOLD} more"] if len(drifted) > TOLD else []))


def _publish(settings: Settings, registry: ModelRegistry, kind: Kind) -> int:
    """KOLs scored or ranked."""
    lookup = open_feature_store(settings.redis)
    try:
        if kind == "success":
            return publish_rankings(settings.lake_root, lookup)
        store = open_metrics_store(settings)
        try:
            return publish_scores(settings.lake_root, registry, store, lookup)
        finally:
            store.close()
    finally:
        lookup.close()
