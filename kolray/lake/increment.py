"""How far ``verify`` has come, so that the next one compares only what is new."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from kolray.clock import from_ms, to_ms
from kolray.lake.changes import changed_files
from kolray.lake.tables import LakeTables
from kolray.stream.windows import WindowSpec

SOURCES = ("bronze.social", "bronze.web", "bronze.late_events")
"""What decides a window."""


@dataclass(frozen=True)
class Mark:
    """What the last comparison without differences had read.

    Args:
        windows: the windows it compared.
        versions: each bronze table's version by its source's name; one without rows has none.
        open_ms: start of the first window that was still open (ms since the epoch).
    """

    windows: list[str]
    versions: dict[str, int]
    open_ms: int | None = None

    @classmethod
    def of(cls, tables: LakeTables, windows: Sequence[str]) -> Mark:
        """The tables as they are now; take it before they are read."""
        return cls(list(windows), {source: tables.table(name).version() for name, source in _sources(tables).items()})

    @classmethod
    def read(cls, file: Path, windows: Sequence[str]) -> Mark | None:
        """None where there is none of these windows, or none that can be read: then everything is compared anew."""
        try:
            mark = cls(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return mark if mark.windows == list(windows) else None

    def write(self, file: Path) -> None:
        """Whole or not at all."""
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)))
        part.replace(file)


def first_new(tables: LakeTables, mark: Mark) -> datetime | None:
    """Start of the first window that rows since the mark touch, or that was still open; None: nothing is new."""
    specs = [WindowSpec.parse(text) for text in mark.windows]
    times = [_oldest(tables, name, mark.versions.get(source)) for name, source in _sources(tables).items()]
    touched = [spec.starts_at(to_ms(at))[0] for at in times if at is not None for spec in specs]
    starts = touched + ([] if mark.open_ms is None else [mark.open_ms])
    return from_ms(min(starts)) if starts else None


def _sources(tables: LakeTables) -> dict[str, str]:
    """Table → the name it has as a source of verify."""
    return {name: tables.source("verify", name) for name in SOURCES if tables.exists(name)}


def _oldest(tables: LakeTables, name: str, after: int | None) -> datetime | None:
    """The earliest event time among a table's rows since a version."""
    new = changed_files(tables.table(name), after, tables.options)
    files = [tables.path(name).join(file.path).url for file in new]
    if not files:
        return None
    rows = pl.scan_parquet(files, storage_options=tables.options)
    at: datetime | None = rows.select(pl.col("event_time").min()).collect().item()
    return at
