"""All the lake's figures in one run, Spark's beside them where a prepared folder of the comparison is given."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kolray.benchmarks.lake.from_kafka import from_kafka
from kolray.benchmarks.lake.many import many
from kolray.benchmarks.lake.medallion import medallion
from kolray.benchmarks.lake.raw import make_raw
from kolray.benchmarks.lake.spark import raw_of, spark

Figures = dict[str, Any]
BRONZE_EVENTS = 4_000_000
MANY_ROWS = 10_000_000


def run(n_events: int, peers: Path | None, everything: bool, say: Callable[[str], None]) -> Figures:
    """The medallion, Spark's; with ``everything`` bronze from a broker of its own, ten million rows and the queries.

    Args:
        n_events: of the medallion, before their copies.
        say: told what runs now.
    """
    with tempfile.TemporaryDirectory(prefix="kolray-bench-") as folder:
        say("raw rows")
        raw = Path(folder) / "raw"
        raw.mkdir()
        files = raw_of(peers, n_events, raw) if peers is not None else make_raw(raw, n_events)
        say("bronze, silver, gold, twice")
        ours = medallion(files)
        figures: Figures = asdict(ours)
        if peers is not None:
            say("the same by Spark, twice")
            theirs = spark(peers, raw)
            figures |= asdict(theirs)
            figures["ratio_cpu_to_spark"] = round(theirs.spark_cpu_s / ours.medallion_cpu_s, 2)
    if everything:
        say(f"bronze of {BRONZE_EVENTS:,} events from a broker of its own")
        figures |= asdict(from_kafka(BRONZE_EVENTS))
        say(f"{MANY_ROWS:,} rows, then twenty queries over them")
        figures |= asdict(many(MANY_ROWS))
    return figures
