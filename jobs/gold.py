"""KPIs and features: ``ray job submit --working-dir . -- python jobs/gold.py``."""

import json

from kolray.lake.gold_pipeline import run_gold
from kolray.settings import load_settings

if __name__ == "__main__":
    print(json.dumps(run_gold(load_settings())))
