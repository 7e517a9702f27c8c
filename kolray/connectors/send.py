"""Sends what files held: events at their event time, bad rows to the dead letters, exactly as many as were read.

What was acknowledged is written down after each chunk: the same files sent again after a kill go on behind it. At most
one chunk is sent twice, under the same event ids.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
from rich.progress import track

from kolray.clock import SystemClock
from kolray.connectors.bulk import BulkProducer
from kolray.connectors.files import CHUNK_ROWS, FileEvents, chunks
from kolray.connectors.producer import EventProducer
from kolray.events import TIME
from kolray.observability.runs import recorded
from kolray.schemas.registry import open_registry
from kolray.settings import Settings

Allowed = Callable[[pl.DataFrame], pl.DataFrame]
"""The rows of KOLs that were not erased."""


@recorded("ingest file")
def send_file_events(
    settings: Settings,
    read: FileEvents,
    allowed: Allowed = lambda rows: rows,
    *,
    show: bool = False,
    log: str | None = None,
) -> dict[str, int]:
    """Produces everything and waits for the broker; returns ``read``, ``sent``, ``dead_letters`` and ``denied``.

    ``resumed`` beside them where an earlier run was stopped: how many of ``sent`` had gone out by then. The Kafka
    timestamp is now, whatever the event time: that is when the event became available, and a broker's retention would
    delete records stamped years ago.

    Args:
        log: identity of the broker's log, which another has not got: what went into that is not left out of this; none:
            everything is sent, whatever went out before.
    """
    events = FileEvents(read.kind, allowed(read.frame), allowed(read.dead))
    registry = open_registry(settings.registry.url)
    progress = _Progress(settings.home / "ingest", events, log)
    slices = list(chunks(events.frame))[progress.chunks :]
    resumed = min(progress.chunks * CHUNK_ROWS, events.frame.height)
    with closing(BulkProducer(settings.kafka, registry)) as producer:
        for part in track(slices, description="chunks") if show else slices:
            producer.send(events.kind, part)
            producer.flush()
            progress.advance()
    if events.dead.height:
        now = pl.lit(SystemClock().now()).cast(TIME).alias("at")
        letters = EventProducer(settings.kafka, registry)
        letters.send_dead_letters(events.dead.with_columns(now))
        letters.flush()
    progress.end()
    n_read, n_sent, n_dead = read.frame.height + read.dead.height, events.frame.height, events.dead.height
    counts = {"read": n_read, "sent": n_sent, "dead_letters": n_dead, "denied": n_read - n_sent - n_dead}
    return counts | ({"resumed": resumed} if resumed else {})


def dry_run(read: FileEvents, n_errors: int = 10) -> dict[str, Any]:
    """What would be sent: ``read``, ``valid``, ``dead_letters``, how many for each reason, and the first bad rows."""
    reasons = read.dead.group_by("reason").len().sort("len", "reason", descending=[True, False])
    first = read.dead.head(n_errors).select(
        pl.col("topic").str.strip_prefix("file:").alias("file"),
        pl.col("offset").alias("line"),
        "reason",
        pl.col("value").cast(pl.String, strict=False).alias("row"),
    )
    counts = {"read": read.frame.height + read.dead.height, "valid": read.frame.height}
    counts["dead_letters"] = read.dead.height
    return {**counts, "reasons": dict(reasons.iter_rows()), "errors": first.to_dicts()}


class _Progress:
    """How many chunks of these very events are acknowledged; one small file while they are being sent."""

    def __init__(self, folder: Path, events: FileEvents, log: str | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ids = events.frame["event_id"].hash().to_numpy().tobytes()
        self._kept = log is not None
        name = hashlib.sha256(f"{log} {events.kind}".encode() + ids).hexdigest()[:24]
        self._file = folder / f"{name}.json"
        self.chunks: int = json.loads(self._file.read_text()) if self._kept and self._file.exists() else 0

    def advance(self) -> None:
        """One chunk more."""
        self.chunks += 1
        if self._kept:
            temporary = self._file.with_suffix(".tmp")
            temporary.write_text(json.dumps(self.chunks))
            temporary.rename(self._file)

    def end(self) -> None:
        """The same files may be sent anew."""
        self._file.unlink(missing_ok=True)
