"""The night's work, resumable: ``ray job submit --working-dir . -- python jobs/nightly.py [DAY [STEP]]``."""

import json
import sys
from dataclasses import asdict
from datetime import date

from kolray.models.nightly import nightly
from kolray.observability.logs import set_up_logs
from kolray.settings import load_settings

if __name__ == "__main__":
    night = date.fromisoformat(sys.argv[1]) if len(sys.argv) > 1 else None
    only = sys.argv[2] if len(sys.argv) > 2 else None
    settings = load_settings()
    set_up_logs(as_json=settings.observe.json_logs)
    for step in nightly(settings, night, only=only):
        print(json.dumps(asdict(step)))
