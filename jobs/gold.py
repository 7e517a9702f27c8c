"""KPIs and features: ``ray job submit --working-dir . -- python jobs/gold.py [FIRST_DAY LAST_DAY]``.

With two days (2026-01-01 2026-01-31) all of gold in this range is made again.
"""

import json
import sys
from datetime import date

from kolray.lake.gold_pipeline import backfill_gold, run_gold
from kolray.observability.logs import job_settings

if __name__ == "__main__":
    settings = job_settings()
    if sys.argv[1:]:
        first, last = (date.fromisoformat(day) for day in sys.argv[1:])
        counts = backfill_gold(settings, first, last)
    else:
        counts = run_gold(settings)
    print(json.dumps(counts))
