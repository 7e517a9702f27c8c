"""Read the topics into bronze: ``ray job submit --working-dir . -- python jobs/bronze.py``."""

import json

from kolray.lake.bronze_pipeline import run_bronze
from kolray.observability.logs import job_settings

if __name__ == "__main__":
    print(json.dumps(run_bronze(job_settings())))
