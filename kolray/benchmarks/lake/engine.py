"""The medallion as one engine among others: raw Parquet to bronze, silver and gold, by the lake's own pipelines.

``python -m kolray.benchmarks.lake.engine JSON`` with the fields of ``Work``. Every round writes a lake of its own; the
marks enclose the last one, when code is compiled and Ray's workers are up, as the comparison's warm round has it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import polars as pl

from kolray.benchmarks.lake.raw import as_bronze
from kolray.events import Kind
from kolray.lake.commit import commit_parts
from kolray.lake.overlap import Advance
from kolray.lake.parts import PartWriter
from kolray.lake.silver_plan import SLICE_ROWS
from kolray.lake.tables import TABLES, LakeTables
from kolray.settings import Place, load_settings

BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
"""As of when features are made: before all events, as the comparison has none."""


@dataclass(frozen=True)
class Work:
    """Raw files of social and of web events, and the folder that gets one lake a round: ``<lake>/<round>``."""

    files: Sequence[str]
    lake: str
    rounds: int = 2
    web: Sequence[str] = ()


def run(work: Work) -> dict[str, float]:
    """Runs all rounds; returns the seconds of each layer in the last."""
    from kolray.lake.gold_pipeline import run_gold
    from kolray.lake.silver_pipeline import run_silver
    from kolray.local.cluster import join_ray

    join_ray()
    took: dict[str, float] = {}
    for number in range(work.rounds):
        settings = load_settings(lake={"root": f"{work.lake}/{number}"})
        if number == work.rounds - 1:
            print("@job_start", flush=True)
        tables, started = LakeTables(settings.lake_root), time.monotonic()
        _bronze(tables, "social", work.files)
        _bronze(tables, "web", work.web)
        bronze_s = time.monotonic() - started
        run_silver(settings)
        silver_s = time.monotonic() - started - bronze_s
        run_gold(settings, as_of=BEFORE)
        took = {"bronze_s": bronze_s, "silver_s": silver_s, "gold_s": time.monotonic() - started - bronze_s - silver_s}
    return {name: round(seconds, 2) for name, seconds in took.items()}


def _bronze(tables: LakeTables, kind: Kind, files: Sequence[str]) -> None:
    from kolray.lake.spread import spread

    name = f"bronze.{kind}"
    written = spread(list(files), partial(_write_bronze, kind, tables.path(name)), blocks=len(files))
    parts = [row["part"] for row in written]
    if parts:
        commit_parts(name, tables.path(name), pl.Schema(TABLES[name]), parts, {"raw": Advance(None, 0)})


def _write_bronze(kind: Kind, folder: Place, file: str) -> Iterator[dict[str, Any]]:
    writer = PartWriter(f"bronze.{kind}", folder)
    for start in range(0, pl.scan_parquet(file).select(pl.len()).collect().item(), SLICE_ROWS):
        writer.write(as_bronze(kind, file, start, SLICE_ROWS))
    yield from ({"part": part} for part in writer.close())


def main() -> None:
    """The command of the module's docstring."""
    took = run(Work(**json.loads(sys.argv[1])))
    print("@job_end", flush=True)
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
