"""Run the shards: ``ray job submit --working-dir . -- python jobs/stream.py [--until-end]``."""

import json
import sys
from functools import partial

from kolray.models.champion_scorer import champion_scorer
from kolray.models.sentiment import kept_classifiers
from kolray.observability.logs import job_settings
from kolray.stream.actors import run_stream

if __name__ == "__main__":
    settings = job_settings()
    scorer, sentiment = partial(champion_scorer, settings), kept_classifiers(settings)
    totals = run_stream(settings, sentiment, scorer, older=sentiment.find, until_end="--until-end" in sys.argv)
    print(json.dumps(totals))
