"""Train, register and promote the success model, then forecast and rank every KOL."""

import json
import os
from dataclasses import asdict

from kolray.local.cluster import join_ray
from kolray.models.forecast_pipeline import run_forecasts
from kolray.models.publish import publish_rankings
from kolray.models.registry import ModelRegistry
from kolray.models.success.prophet_ray import prophets_of
from kolray.models.trainers import train_on_ray
from kolray.observability.logs import job_settings
from kolray.observability.runs import Runs
from kolray.stores.open import open_feature_store

if __name__ == "__main__":
    settings = job_settings()
    registry = ModelRegistry.of(settings)
    join_ray(num_cpus=os.cpu_count() or 2)
    prophets = prophets_of(settings.models)
    with Runs(settings.home).record("models train success"):
        submission = train_on_ray(["success"], settings.lake_root, registry, prophets=prophets)["success"]
    forecasts = run_forecasts(settings)
    n_ranked = publish_rankings(settings.lake_root, open_feature_store(settings.redis))
    print(json.dumps({**asdict(submission), "ranked": n_ranked, "forecasts": forecasts}))
