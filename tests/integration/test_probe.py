"""Features of the same events at random times are the same by all four paths: lake, stream, file and request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.events import KINDS, RAW_TOPICS, TIME, Kind, invalid_reason
from kolray.features import FEATURE_NAMES, FEATURE_SCHEMA
from kolray.lake.gold_files import FEATURES, features_at, store_features
from kolray.lake.silver_plan import plan_silver
from kolray.lake.tables import TABLES, LakeTables
from kolray.models.sentiment import default_classifier
from kolray.serving.given import features_given
from kolray.settings import Settings
from kolray.stores.open import open_feature_store
from tests.unit.lake.rows import add, refine_all

WORLD = WorldConfig(n_kols=60, hours=40, seed=12, late_share=0.05, very_late_share=0.03, duplicate_share=0.05)
RNG = np.random.default_rng(12)
TIMES = [WORLD.start + timedelta(milliseconds=int(RNG.integers(3_600_000, 40 * 3_600_000))) for _ in range(6)]
NOT_OF_ONE = ("audience_overlap", "audience_overlap_hour")
"""What one KOL's own events cannot say (see its null rule)."""
ROUNDING = 1e-12
"""Lake, stream and file must agree to the last bit; a request is of one KOL, and the deviation of a single group is
summed in another order by Polars than that of one group among many."""


@pytest.fixture(scope="module")
def arrived() -> dict[Kind, pl.DataFrame]:
    """Everything that was sent, also twice, late or broken, with the time it arrived."""
    made = list(batches(build_world(WORLD)))
    return {
        kind: pl.concat(getattr(b, kind).with_columns(kafka_time=getattr(b, f"{kind}_ms").cast(TIME)) for b in made)
        for kind in KINDS
    }


@pytest.fixture
def lake(embedded: Settings, arrived: dict[Kind, pl.DataFrame]) -> Iterator[LakeTables]:
    """Bronze with all of it, and the silver made of that."""
    tables = LakeTables(embedded.lake_root)
    for kind, frame in arrived.items():
        placed = frame.with_row_index("offset").with_columns(
            topic=pl.lit(RAW_TOPICS[kind]), partition=0, schema_id=1, ingest_time=WORLD.end, dt=WORLD.end.date()
        )
        add(tables, f"bronze.{kind}", placed.select(pl.col(c).cast(t) for c, t in TABLES[f"bronze.{kind}"].items()))
        task = plan_silver(tables, kind)
        assert task is not None
        add(tables, f"silver.{kind}", refine_all(task, tables, default_classifier()).valid)
    return tables


def by_then(arrived: dict[Kind, pl.DataFrame], at: datetime) -> dict[Kind, pl.DataFrame]:
    """What somebody who kept every event would hold at a time."""
    return {kind: frame.filter(pl.col("kafka_time") <= at).drop("kafka_time") for kind, frame in arrived.items()}


def of_files(events: dict[Kind, pl.DataFrame], at: datetime, folder: Path, suffix: str) -> pl.DataFrame:
    """By ``kolray features --events``, from files of a format."""
    arguments = []
    for kind, option in (("social", "--events"), ("web", "--web-events")):
        file = folder / f"{kind}{suffix}"
        frame = events[kind]
        {".jsonl": frame.write_ndjson, ".csv": frame.write_csv, ".parquet": frame.write_parquet}[suffix](file)
        arguments += [option, str(file)]
    done = CliRunner().invoke(app, ["features", *arguments, "--as-of", at.isoformat(), "--output", "json"])
    assert done.exit_code == 0, done.output
    return pl.DataFrame(json.loads(done.stdout), infer_schema_length=None).select(
        "kol_id", *(pl.col(name).cast(pl.Float64) for name in FEATURE_NAMES)
    )


def requested(kol: str, events: dict[Kind, pl.DataFrame], at: datetime) -> pl.DataFrame:
    """As the API makes them of the JSON it is sent."""
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        mine = events[kind].filter(pl.col("kol_id") == kol).filter(invalid_reason(kind).is_null())
        rows += [json.loads(line) for line in mine.write_ndjson().splitlines()]
    told = [{k: v for k, v in row.items() if v is not None} for row in rows]
    return pl.DataFrame([features_given(kol, told, at).values], schema=FEATURE_SCHEMA)


def test_four_paths_one_definition(
    lake: LakeTables, embedded: Settings, arrived: dict[Kind, pl.DataFrame], tmp_path: Path
) -> None:
    lookup, compared = open_feature_store(embedded.redis), 0
    for number, at in enumerate(TIMES):
        events = by_then(arrived, at)
        of_lake = features_at(lake, at)
        values = of_lake.drop("as_of")
        of_file = of_files(events, at, tmp_path, (".jsonl", ".csv", ".parquet")[number % 3])
        assert_frame_equal(of_file, values, check_exact=True)

        store_features(lake, of_lake, at)
        gold = lake.scan(FEATURES).filter(pl.col("as_of") == at).select(*FEATURE_SCHEMA).collect()
        lookup.put_features(gold)
        streamed = lookup.get_feature_rows(values["kol_id"].to_list(), FEATURE_NAMES)
        assert_frame_equal(streamed.select("kol_id", *FEATURE_NAMES).sort("kol_id"), values, check_exact=True)

        for kol in values["kol_id"].sample(5, seed=number):
            alone = requested(kol, events, at).drop("as_of", *NOT_OF_ONE)
            expected = values.filter(kol_id=kol).drop(*NOT_OF_ONE)
            assert_frame_equal(alone, expected, rel_tol=ROUNDING, abs_tol=ROUNDING)
            compared += len(alone.columns)
        compared += 2 * values.height * len(FEATURE_NAMES)
    assert compared > 50_000
    lookup.close()
