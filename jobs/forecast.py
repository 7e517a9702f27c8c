"""Forecast every KOL with the success champion: ``ray job submit --working-dir . -- python jobs/forecast.py``."""

import json

from kolray.models.forecast_pipeline import run_forecasts
from kolray.observability.logs import job_settings

if __name__ == "__main__":
    print(json.dumps(run_forecasts(job_settings())))
