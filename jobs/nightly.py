"""The night's work, resumable: ``ray job submit --working-dir . -- python jobs/nightly.py [DAY [STEP]]``."""

import json
import sys
from dataclasses import asdict
from datetime import date

from kolray.models.nightly import nightly
from kolray.observability.logs import job_settings

if __name__ == "__main__":
    night = date.fromisoformat(sys.argv[1]) if len(sys.argv) > 1 else None
    only = sys.argv[2] if len(sys.argv) > 2 else None
    settings = job_settings()
    for step in nightly(settings, night, only=only):
        print(json.dumps(asdict(step)))
