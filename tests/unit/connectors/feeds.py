"""Files of events as tests write and read them."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from kolray.connectors.files import FileEvents, read_files

AT = datetime(2026, 1, 5, 10, 30, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {
        "event_id": f"e{i}",
        "kol_id": "k1",
        "platform": "tiktok",
        "event_type": "engagement",
        "event_time": f"2026-01-05T10:{i:02d}:00Z",
        "likes": i * 10,
        "verified": i % 2 == 0,
        "text": f"xin chào, {i}",
    }
    for i in range(1, 5)
]


def write(folder: Path, suffix: str, rows: list[dict[str, Any]]) -> Path:
    """The rows as a file of a format."""
    file = folder / f"feed{suffix}"
    if suffix == ".csv":
        with file.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(file)
    else:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def read(file: Path, **more: Any) -> FileEvents:
    """One file of social events."""
    return read_files([file], more.pop("kind", "social"), more.pop("mapping", {}), more.pop("constants", {}))


def dead(events: FileEvents) -> list[tuple[int, str]]:
    """(line, reason) of the dead letters."""
    return list(events.dead.select("offset", "reason").iter_rows())


def jsonl(folder: Path, *rows: dict[str, Any]) -> Path:
    """Rows like the first of ``ROWS`` with some fields changed."""
    return write(folder, ".jsonl", [ROWS[0] | row for row in rows])
