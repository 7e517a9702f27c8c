"""Recompute every window from the lake: ``ray job submit --working-dir . -- python jobs/verify.py``."""

import json
import sys

from kolray.cli.lake import run_verify
from kolray.observability.logs import job_settings

if __name__ == "__main__":
    verdict = run_verify(job_settings(), refresh=True)
    found = {"windows": verdict.windows, "differences": verdict.differences.height, "unchecked": verdict.unchecked}
    print(json.dumps(found))
    sys.exit(1 if verdict.differences.height else 0)
