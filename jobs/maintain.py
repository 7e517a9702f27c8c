"""Maintain the lake's tables: ``ray job submit --working-dir . -- python jobs/maintain.py``."""

import json
from dataclasses import asdict

from kolray.lake.maintenance import maintain
from kolray.lake.tables import LakeTables
from kolray.observability.logs import job_settings
from kolray.observability.runs import Runs

if __name__ == "__main__":
    settings = job_settings()
    with Runs(settings.home).record("lake maintain"):
        for table in maintain(LakeTables(settings.lake_root), settings.lake):
            print(json.dumps(asdict(table)))
