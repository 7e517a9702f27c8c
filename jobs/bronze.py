"""Read the topics into bronze: ``ray job submit --working-dir . -- python jobs/bronze.py``."""

import json

from kolray.lake.bronze_pipeline import run_bronze
from kolray.settings import load_settings

if __name__ == "__main__":
    print(json.dumps(run_bronze(load_settings())))
