"""Run the shards: ``ray job submit --working-dir . -- python jobs/stream.py [--until-end]``."""

import json
import sys

from kolray.models.sentiment import default_classifier
from kolray.settings import load_settings
from kolray.stream.actors import run_stream

if __name__ == "__main__":
    totals = run_stream(load_settings(), default_classifier, until_end="--until-end" in sys.argv)
    print(json.dumps(totals))
