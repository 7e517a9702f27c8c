"""Refine what bronze gained: ``ray job submit --working-dir . -- python jobs/silver.py``."""

import json

from kolray.lake.silver_pipeline import run_silver
from kolray.models.sentiment import kept_classifiers
from kolray.observability.logs import job_settings

if __name__ == "__main__":
    settings = job_settings()
    print(json.dumps(run_silver(settings, kept_classifiers(settings)())))
