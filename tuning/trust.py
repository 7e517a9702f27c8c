"""Tunes the trust model: ``ray job submit --working-dir . -- python tuning/trust.py [TRIALS [--resume]]``."""

import json
import sys
from dataclasses import asdict

from kolray.models.tuning import tune
from kolray.settings import load_settings

if __name__ == "__main__":
    resume = "--resume" in sys.argv
    numbers = [argument for argument in sys.argv[1:] if argument != "--resume"]
    report, submission = tune(load_settings(), "trust", int(numbers[0]) if numbers else 30, resume=resume)
    print(json.dumps(report.to_dict() | {"submission": submission and asdict(submission)}))
