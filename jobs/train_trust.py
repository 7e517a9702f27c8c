"""Train, register and promote the trust model, then score every KOL."""

import json
from dataclasses import asdict

import ray

from kolray.models.booster_trainer import BoosterTrainer
from kolray.models.publish import publish_scores
from kolray.models.registry import ModelRegistry
from kolray.models.trainers import train_on_ray
from kolray.settings import load_settings
from kolray.stores.open import open_feature_store, open_metrics_store

if __name__ == "__main__":
    settings = load_settings()
    registry = ModelRegistry.of(settings)
    with ray.init(ignore_reinit_error=True, log_to_driver=False):
        submission = train_on_ray(["trust"], settings.lake_root, registry, fit=BoosterTrainer.of(settings))["trust"]
    store, lookup = open_metrics_store(settings), open_feature_store(settings.redis)
    n_scored = publish_scores(settings.lake_root, registry, store, lookup)
    print(json.dumps({**asdict(submission), "scored": n_scored}))
