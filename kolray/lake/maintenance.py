"""Maintenance of the tables: days past retention dropped, files merged and ordered, old ones deleted, log checkpointed.

Every step looks at the table and does only what is missing, one day a commit. So a run that was killed goes on where
it stopped, a second run does nothing, and readers of an older version find their files for ``lake.vacuum_hours``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, WriterProperties

from kolray.clock import Clock, SystemClock
from kolray.lake.backlog import Backlog, backlog_of
from kolray.lake.changes import log_store
from kolray.lake.journal import NAME as JOURNAL
from kolray.lake.layout import MB, crowded
from kolray.lake.overlap import retried
from kolray.lake.tables import LakeTables
from kolray.lake.turns import lake_job
from kolray.settings import LakeSettings

KEY = "kol_id"
MEMORY_BYTES = 1 << 30
"""Held while a day is ordered; what is more goes to disk."""
CHECKPOINT_EVERY = 10
"""Commits after which maintenance writes a checkpoint; a reader replays fewer entries than that."""
TURN = "kolray.rewritten_by"
"""Property of a table: the run that may rewrite its days."""
FORECASTS = ("gold.forecasts", "gold.campaign_forecasts")
"""Soon of no use, and the largest tables of gold: they have a retention of their own."""
WRITER = WriterProperties(compression="ZSTD", compression_level=3)


@dataclass(frozen=True)
class Maintained:
    """What was done to a table: data files before and after, days dropped and rewritten, files deleted from disk.

    ``waits``: what was left for a later run because the next layer has not read it yet, or another run is at it.
    """

    table: str
    files_before: int
    files_after: int
    days_dropped: int = 0
    days_rewritten: int = 0
    files_deleted: int = 0
    checkpointed: bool = False
    waits: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.days_dropped or self.days_rewritten or self.files_deleted or self.checkpointed)


def maintain(tables: LakeTables, settings: LakeSettings, clock: Clock | None = None) -> Iterator[Maintained]:
    """Maintains every table of the lake; yields each when it is done, the journal of the jobs last.

    Raises:
        ConflictError: writers kept changing a table; what was done before stays done, the next run goes on there.
    """
    now = (clock or SystemClock()).now()
    with lake_job(tables.root):
        for name in sorted(tables.names(), key=lambda name: (name == JOURNAL, name)):
            yield _maintain_one(tables, name, settings, now)


def _maintain_one(tables: LakeTables, name: str, settings: LakeSettings, now: datetime) -> Maintained:
    before = _files(tables.table(name)).height
    backlog = backlog_of(tables, name)
    dropped = rewritten = deleted = 0
    waits: list[str] = []
    cutoff = _cutoff(name, settings, now)
    if cutoff and backlog.blocks_retention(cutoff):
        waits.append(f"days before {cutoff}")
    elif cutoff:
        dropped = retried(name, lambda: _drop(tables.table(name), cutoff))
    if days := crowded(_files(tables.table(name)), settings.file_mb * MB):
        rewritten = _rewrite_days(tables, name, days, settings)
        waits += ["days that another run took over"] if rewritten < len(days) else []
    if backlog.blocks_vacuum(now, settings.vacuum_hours):
        waits.append("replaced files")
    else:
        deleted = _vacuum(tables.table(name), settings.vacuum_hours)
    checkpointed = _checkpoint(tables.table(name), tables.options)
    if not _clean_log(tables.table(name), backlog, settings, now):
        waits.append("log entries")
    after = _files(tables.table(name)).height
    return Maintained(name, before, after, dropped, rewritten, deleted, checkpointed, tuple(waits))


def _files(table: DeltaTable) -> pl.DataFrame:
    """``dt`` (null without partitions) and ``size_bytes`` of the data files."""
    files = pl.DataFrame(pa.table(table.get_add_actions(flatten=True)))
    day = pl.col("partition.dt").cast(pl.Date) if "partition.dt" in files.columns else pl.lit(None, pl.Date)
    return files.select(day.alias("dt"), "size_bytes")


def _cutoff(name: str, settings: LakeSettings, now: datetime) -> date | None:
    """The first day kept."""
    layer = "forecast" if name in FORECASTS else name.partition(".")[0]
    kept = getattr(settings, f"{layer}_days", None)
    return None if kept is None else now.date() - timedelta(days=kept)


def _drop(table: DeltaTable, cutoff: date) -> int:
    old = _files(table).filter(pl.col("dt") < cutoff)["dt"].n_unique()
    if old:
        table.delete(f"dt < '{cutoff.isoformat()}'")
    return old


def _rewrite_days(tables: LakeTables, name: str, days: list[date | None], settings: LakeSettings) -> int:
    """Rewrites days one after another; returns how many, less than all where another run has begun on this table.

    Delta lets two compactions of the same files through, and doubles their rows. What it does refuse is a commit on a
    version before a change of the table's properties. So each run writes a mark of its own there first, and rewrites
    only versions that hold it: of two runs the later goes on, and the earlier loses what it was at.
    """
    mark = uuid.uuid4().hex
    retried(name, lambda: tables.table(name).alter.set_table_properties({TURN: mark}, raise_if_not_exists=False))

    def rewrite(day: date | None) -> bool:
        table = tables.table(name)
        if table.metadata().configuration.get(TURN) != mark:
            return False
        _rewrite(table, day, settings)
        return True

    for number, day in enumerate(days):
        if not retried(name, lambda day=day: rewrite(day)):  # type: ignore[misc]
            return number
    return len(days)


def _rewrite(table: DeltaTable, day: date | None, settings: LakeSettings) -> None:
    """One day's rows in few files, by KOL where the table has one."""
    how: dict[str, Any] = {
        "partition_filters": None if day is None else [("dt", "=", day.isoformat())],
        "target_size": settings.file_mb * MB,
        "max_spill_size": MEMORY_BYTES,
        "max_concurrent_tasks": 1,
        "writer_properties": WRITER,
    }
    if any(field.name == KEY for field in table.schema().fields):
        table.optimize.z_order([KEY], **how)
    else:
        table.optimize.compact(**how)


def _vacuum(table: DeltaTable, hours: int) -> int:
    """Deletes replaced files, and those that no commit ever named, once they are as old; looks before it commits."""
    how = {"retention_hours": hours, "enforce_retention_duration": False, "full": True}
    if not table.vacuum(dry_run=True, **how):
        return 0
    return len(table.vacuum(dry_run=False, **how))


def _checkpoint(table: DeltaTable, options: dict[str, str] | None) -> bool:
    try:
        with log_store(table, options).open_input_stream("_delta_log/_last_checkpoint") as stream:
            last = int(json.loads(stream.read())["version"])
    except FileNotFoundError:
        last = -1
    if table.version() - last < CHECKPOINT_EVERY:
        return False
    table.create_checkpoint()
    return True


def _clean_log(table: DeltaTable, backlog: Backlog, settings: LakeSettings, now: datetime) -> bool:
    """Drops log entries past their age that a checkpoint covers; returns whether nobody needs them."""
    wanted, key = f"interval {settings.log_days} days", "delta.logRetentionDuration"
    if table.metadata().configuration.get(key, "interval 30 days") != wanted:
        table.alter.set_table_properties({key: wanted})
    if backlog.blocks_log_cleanup(now, settings.log_days):
        return False
    table.cleanup_metadata()
    return True
