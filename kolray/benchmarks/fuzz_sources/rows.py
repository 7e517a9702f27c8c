"""Hostile rows in files: each becomes an event that keeps every rule, or a dead letter that names its line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kolray.benchmarks.fuzz_sources.hostile import Hostile
from kolray.connectors.files import read_files
from kolray.events import invalid_reason
from kolray.schemas.columns import AvroColumns
from kolray.schemas.registry import packaged_schema

A_FILE = 5_000
ROW = {
    "event_id": "e", "kol_id": "kol_1", "platform": "youtube", "event_type": "engagement",
    "event_time": "2026-05-01T12:00:00Z",
    "likes": 3, "views": "10", "followers": None, "verified": True, "text": "hay quá",
}  # fmt: skip


def fuzz_rows(folder: Path, rows: int, seed: int) -> tuple[Counter[str], list[str]]:
    """JSON Lines of so many rows; what became of them, and files that could not be read or lost a row."""
    hostile, outcomes, wrong = Hostile(seed), Counter[str](), list[str]()
    for first in range(0, rows, A_FILE):
        n = min(A_FILE, rows - first)
        file = folder / f"hostile-{first}.jsonl"
        file.write_bytes(b"".join(_line(hostile, first + number) for number in range(n)))
        try:
            read = read_files([file], "social", {}, {})
            AvroColumns.of(read.frame, packaged_schema("events.social.raw"))
        except Exception as error:  # any is a finding
            wrong.append(f"{file.name} of seed {seed}: {type(error).__name__}: {error}"[:300])
            continue
        outcomes.update({"events": read.frame.height, "dead_letters": read.dead.height})
        broken = read.frame.filter(invalid_reason("social").is_not_null()).height
        if broken or read.frame.height + read.dead.height != n or read.dead["offset"].n_unique() != read.dead.height:
            wrong.append(f"{file.name} of seed {seed}: {read.frame.height} events, {read.dead.height} letters of {n}")
        file.unlink()
    return outcomes, wrong


def _line(hostile: Hostile, number: int) -> bytes:
    """One line that is not blank, whatever is in it."""
    line = hostile.written(hostile.changed(ROW | {"event_id": f"f{number}"}))
    if hostile.chance.random() < 0.02:
        line = hostile.bytes(line).replace(b"\n", b" ").replace(b"\r", b" ")
    return (line if line.strip() else b"{}") + b"\n"
