"""What changed in a table since a version, read from the actions in its Delta log.

File lists of two versions would show compaction as change. The log marks it: its actions carry ``dataChange = false``.
"""

from __future__ import annotations

import json
import logging
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChangedFile:
    """A data file whose rows are new since a version; ``path`` is relative to the table's folder."""

    path: str
    dt: date


def changed_files(
    table: DeltaTable, after_version: int | None, options: dict[str, str] | None = None
) -> list[ChangedFile]:
    """Files with the rows that commits after ``after_version``, up to the table's loaded version, added.

    Files that compaction wrote are not among them. On a day that rows were taken from since (an erasure), all live
    files are: an older one still holds those rows. All live files of the table are returned where nothing was read
    before (``after_version`` is None) and where the log cannot tell: it no longer reaches back, the table was made
    anew, or a file it names was vacuumed since. The reason is logged. Whoever uses the rows must therefore expect known
    ones.

    Args:
        options: storage options of the table's store.
    """
    store = log_store(table, options)
    actions = _actions(table, after_version, store)
    if actions is None:
        return _live(table)
    torn = {day for _, day, is_new in actions if not is_new}
    files = [ChangedFile(path, day) for path, day, is_new in actions if is_new and day not in torn]
    if torn:
        files += [file for file in _live(table) if file.dt in torn]
    infos = store.get_file_info([file.path for file in files])
    gone = [info.path for info in infos if info.type == pafs.FileType.NotFound]
    if gone:
        log.warning("reading all of %s: %s was vacuumed before it was read", table.table_uri, gone[0])
        return _live(table)
    return files


def changed_days(table: DeltaTable, after_version: int | None, options: dict[str, str] | None = None) -> set[date]:
    """Days whose rows changed after ``after_version``, by new rows or by rows taken away; else as ``changed_files``."""
    actions = _actions(table, after_version, log_store(table, options))
    if actions is None:
        return {file.dt for file in _live(table)}
    return {day for _, day, _ in actions}


def log_store(table: DeltaTable, options: dict[str, str] | None = None) -> pafs.FileSystem:
    """The table's folder as a file system of its own, wherever it lies."""
    return pafs.PyFileSystem(DeltaStorageHandler(table.table_uri, options))


def _actions(table: DeltaTable, after: int | None, store: pafs.FileSystem) -> list[tuple[str, date, bool]] | None:
    """(path, day, added or removed) of each file that changes data; None: take everything."""
    if after is None:
        return None
    if after > table.version():
        log.warning("reading all of %s: version %d was read, it has %d", table.table_uri, after, table.version())
        return None
    found: list[tuple[str, date, bool]] = []
    for version in range(after + 1, table.version() + 1):
        try:
            found += _of_commit(store, version)
        except FileNotFoundError:
            log.warning("reading all of %s: its log of version %d is gone", table.table_uri, version)
            return None
    return found


def actions_of(store: pafs.FileSystem, version: int) -> list[dict[str, Any]]:
    """The actions of one commit.

    Raises:
        FileNotFoundError: the log does not reach back to it.
    """
    with store.open_input_stream(posixpath.join("_delta_log", f"{version:020}.json")) as stream:
        return [json.loads(line) for line in stream.read().decode().splitlines()]


def _of_commit(store: pafs.FileSystem, version: int) -> Iterator[tuple[str, date, bool]]:
    for action in actions_of(store, version):
        for name in ("add", "remove"):
            file: dict[str, Any] | None = action.get(name)
            if file and file.get("dataChange", True):
                yield unquote(file["path"]), _day(file), name == "add"


def _day(file: dict[str, Any]) -> date:
    """The partition of an action; a remove may name it in its path only."""
    values = file.get("partitionValues") or {}
    day = values.get("dt") or unquote(file["path"]).removeprefix("dt=").partition("/")[0]
    return date.fromisoformat(day)


def _live(table: DeltaTable) -> list[ChangedFile]:
    """All files of the loaded version."""
    files = pl.DataFrame(pa.table(table.get_add_actions(flatten=True)))
    if not files.height:
        return []
    days = files["partition.dt"].cast(pl.Date)
    return [ChangedFile(unquote(path), day) for path, day in zip(files["path"], days, strict=True)]
