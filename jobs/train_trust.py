"""Train, register and promote the trust model, then score every KOL."""

import json
import os
from dataclasses import asdict

from kolray.local.cluster import join_ray
from kolray.models.booster_trainer import BoosterTrainer
from kolray.models.publish import publish_scores
from kolray.models.registry import ModelRegistry
from kolray.models.trainers import train_on_ray
from kolray.observability.logs import job_settings
from kolray.observability.runs import Runs
from kolray.stores.open import open_feature_store, open_metrics_store

if __name__ == "__main__":
    settings = job_settings()
    registry = ModelRegistry.of(settings)
    join_ray(num_cpus=os.cpu_count() or 2)
    with Runs(settings.home).record("models train trust"):
        submission = train_on_ray(["trust"], settings.lake_root, registry, fit=BoosterTrainer.of(settings))["trust"]
    store, lookup = open_metrics_store(settings), open_feature_store(settings.redis)
    n_scored = publish_scores(settings.lake_root, registry, store, lookup)
    print(json.dumps({**asdict(submission), "scored": n_scored}))
