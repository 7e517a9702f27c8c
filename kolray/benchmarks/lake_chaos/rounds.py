"""The jobs that are killed: all layers of the lake, round after round, as a night runs them.

``python -m kolray.benchmarks.lake_chaos.rounds N`` with the settings in the environment; 0 rounds are without end. It
says which layer begins, so that the bench knows what it strikes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count

from kolray.settings import Settings, load_settings

MARK, DONE = "@", "@round"


def layers() -> dict[str, Callable[[Settings], object]]:
    """Layer → its job, in their order. Imported here: Ray is for the process that runs them."""
    from kolray.lake.bronze_pipeline import run_bronze
    from kolray.lake.gold_pipeline import run_gold
    from kolray.lake.maintenance import maintain
    from kolray.lake.silver_pipeline import run_silver
    from kolray.lake.tables import LakeTables
    from kolray.models.sentiment import default_classifier

    return {
        "bronze": run_bronze,
        "silver": lambda settings: run_silver(settings, default_classifier()),
        "gold": run_gold,
        "maintenance": lambda settings: list(maintain(LakeTables(settings.lake_root), settings.lake)),
    }


def main() -> None:
    """The command of the module's docstring."""
    settings, rounds = load_settings(), int(sys.argv[1])
    jobs = layers()
    for _ in range(rounds) if rounds else count():
        for layer, job in jobs.items():
            print(f"{MARK}{layer}", flush=True)
            job(settings)
        print(DONE, flush=True)


if __name__ == "__main__":
    main()
