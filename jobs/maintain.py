"""Maintain the lake's tables: ``ray job submit --working-dir . -- python jobs/maintain.py``."""

import json
from dataclasses import asdict

from kolray.lake.maintenance import maintain
from kolray.lake.tables import LakeTables
from kolray.settings import load_settings

if __name__ == "__main__":
    settings = load_settings()
    for table in maintain(LakeTables(settings.lake_root), settings.lake):
        print(json.dumps(asdict(table)))
