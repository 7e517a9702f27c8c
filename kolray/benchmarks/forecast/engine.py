"""The batch in a process of its own: ``python -m kolray.benchmarks.forecast.engine`` on the home of its settings."""

from __future__ import annotations

import json

from kolray.models.forecast_pipeline import run_forecasts
from kolray.settings import load_settings


def main() -> None:
    """Joins Ray, then runs the batch between the marks of ``meter``."""
    from kolray.local.cluster import join_ray

    settings = load_settings()
    join_ray()
    print("@job_start", flush=True)
    made = run_forecasts(settings)
    print("@job_end", flush=True)
    print(json.dumps(made), flush=True)


if __name__ == "__main__":
    main()
