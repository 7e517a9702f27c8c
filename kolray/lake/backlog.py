"""What the next layer has still to read of a table: maintenance must not take it away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kolray.clock import from_ms
from kolray.lake.changes import changed_files
from kolray.lake.tables import LakeTables


@dataclass(frozen=True)
class Backlog:
    """New rows that a reader has not read: their ``days``, and ``since`` when the log entries it needs reach back.

    ``since`` is None where every reader has read everything, or where nobody reads by version.
    """

    since: datetime | None = None
    days: frozenset[date] = frozenset()

    def blocks_vacuum(self, now: datetime, hours: float) -> bool:
        """Whether a file still to be read may have been replaced longer ago than vacuum keeps it."""
        return bool(self.days) and self._older_than(now, timedelta(hours=hours))

    def blocks_log_cleanup(self, now: datetime, days: float) -> bool:
        """Whether a log entry that tells what is new would go; without it a reader reads everything again."""
        return self._older_than(now, timedelta(days=days))

    def blocks_retention(self, cutoff: date) -> bool:
        """Whether days before the cutoff hold rows nobody has refined yet."""
        return any(day < cutoff for day in self.days)

    def _older_than(self, now: datetime, age: timedelta) -> bool:
        return self.since is not None and now - self.since >= age


def backlog_of(tables: LakeTables, name: str) -> Backlog:
    """What the slowest reader of a table has not read; its transaction of the table says how far it is."""
    reached = [tables.transaction(reader, tables.source(reader, name)) for reader in readers(tables, name)]
    done = min((version for version in reached if version is not None), default=None)
    table = tables.table(name)
    if done is None or done >= table.version():
        return Backlog()
    unread = [int(entry["timestamp"]) for entry in table.history(table.version() - done) if entry["version"] > done]
    since = from_ms(min(unread)) if unread else None
    return Backlog(since, frozenset(file.dt for file in changed_files(table, done, tables.options)))


def readers(tables: LakeTables, name: str) -> list[str]:
    """Tables that go by the version they have read.

    Of bronze that is silver's table of the kind alone: what is written beside it (quarantine) may rest for long.
    """
    layer, _, kind = name.partition(".")
    if layer == "bronze":
        return [f"silver.{kind}"]
    return [table for table in tables.names() if table.startswith("gold.")] if layer == "silver" else []
