"""Recompute every window from the lake: ``ray job submit --working-dir . -- python jobs/verify.py``."""

import json
import sys

from kolray.cli.lake import run_verify
from kolray.settings import load_settings

if __name__ == "__main__":
    windows, differences = run_verify(load_settings(), refresh=True)
    print(json.dumps({"windows": windows, "differences": differences.height}))
    sys.exit(1 if differences.height else 0)
