"""Bronze rows in Delta tables of a test's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from kolray.events import TIME, Kind
from kolray.lake.commit import commit_parts
from kolray.lake.gold_files import Write, Written
from kolray.lake.overlap import Advance
from kolray.lake.parts import PartFile, write_parts
from kolray.lake.quality import COUNTED, quality_rows
from kolray.lake.silver import refine, settle
from kolray.lake.silver_plan import SilverTask, by_bucket, survey
from kolray.lake.tables import TABLES, LakeTables, Root
from kolray.protocols import TextClassifier

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
COMMON: dict[str, Any] = {"kol_id": "k1", "event_type": "engagement", "partition": 0, "schema_id": 1}
OF_KIND: dict[Kind, dict[str, Any]] = {
    "social": {"platform": "tiktok", "topic": "events.social.raw"},
    "web": {"campaign_id": "c1", "topic": "events.web.raw", "event_type": "click"},
}


def bronze(kind: Kind, *rows: dict[str, Any]) -> pl.DataFrame:
    """Bronze rows from the fields that matter; ``s`` is the second of the event, offsets count up."""
    full = []
    for offset, row in enumerate(rows):
        at = START + timedelta(seconds=row.get("s", offset))
        place = {"event_id": f"e{offset}", "event_time": at, "offset": offset, "kafka_time": at, "ingest_time": at}
        day = {"dt": row.get("dt", START.date())}
        full.append(COMMON | OF_KIND[kind] | place | day | {name: v for name, v in row.items() if name != "s"})
    schema = pl.Schema(TABLES[f"bronze.{kind}"])
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in full], schema=schema)


def silver(kind: Kind, *rows: dict[str, Any]) -> pl.DataFrame:
    """Silver rows from the same fields, available at once where nothing else is said."""
    refined = bronze(kind, *({name: v for name, v in row.items() if name != "available_at"} for row in rows))
    at = [row.get("available_at", event) for row, event in zip(rows, refined["event_time"], strict=True)]
    unjudged = {"sentiment": pl.lit(None, pl.Int8), "spam": pl.lit(None, pl.Float32)}
    wanted = pl.Schema(TABLES[f"silver.{kind}"])
    return refined.with_columns(available_at=pl.Series(at, dtype=TIME), **unjudged).select(*wanted)


def add(tables: LakeTables, name: str, frame: pl.DataFrame, sources: dict[str, int] | None = None) -> bool:
    """One commit of some rows."""
    parts = write_parts(name, tables.path(name), frame)
    return commit(tables, name, parts, sources or {})


def commit(tables: LakeTables, name: str, parts: Sequence[PartFile], sources: dict[str, int]) -> bool:
    """Makes written files visible, planned on the table as it is; on none yet where it has reached those versions."""
    held = {source: tables.transaction(name, source) for source in sources}
    ways = {source: Advance(before_it(held[source], end), end) for source, end in sources.items()}
    return commit_parts(name, tables.path(name), pl.Schema(TABLES[name]), list(parts), ways)


def before_it(held: int | None, end: int) -> int | None:
    """Where a source stood before it came to an end that it may have reached already."""
    return None if held is None or held >= end else held


def at_once(write: Write, root: Root, work: list[Any]) -> list[Written]:
    """Does all of gold's work here, as Ray does it in shares."""
    return list(write(root, work))


@dataclass(frozen=True)
class Result:
    """What a run of silver brings: see ``Refined``."""

    valid: pl.DataFrame
    broken: pl.DataFrame
    counted: pl.DataFrame


def refine_all(task: SilverTask, tables: LakeTables, classifier: TextClassifier | None = None) -> Result:
    """Does all of silver's work here, as Ray does it in shares."""
    found = survey(task, tables)
    done = list(refine(task, found.slices, found.doubtful, tables, classifier))
    unsure = pl.concat(part.doubtful for part in done)
    settled = [settle(task, rows, found.known, classifier) for _, rows in by_bucket(unsure, found.buckets)]
    counted = [part.counted for part in done] + [counts for _, counts in settled]
    return Result(
        valid=pl.concat([*(part.valid for part in done), *(rows for rows, _ in settled)]),
        broken=pl.concat(part.broken for part in done),
        counted=quality_rows(counted, START, task.bronze_version).select(*COUNTED),
    )
