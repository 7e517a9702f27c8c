"""Send a generated world: ``ray job submit --working-dir . -- python jobs/generate.py [KOLS] [HOURS]``."""

import json
import sys

from kolray.clock import SystemClock
from kolray.connectors.generator import WorldConfig, build_world
from kolray.lake.world import send_world
from kolray.observability.logs import job_settings

if __name__ == "__main__":
    kols, hours = (int(text) for text in (sys.argv[1:] + ["2000", "72"][len(sys.argv) - 1 :])[:2])
    world = build_world(WorldConfig(kols, hours, end=SystemClock().now()))
    print(json.dumps({"events": send_world(job_settings(), world)}))
