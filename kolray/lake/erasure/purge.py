"""A table without its past: one version, whose files alone are on disk, and a log that begins with it.

Older versions hold what was erased: in replaced files, in the statistics of log entries, in checkpoints of the log.
"""

from __future__ import annotations

import re

import pyarrow.fs as pafs

from kolray.lake.backlog import readers
from kolray.lake.changes import actions_of, log_store
from kolray.lake.commit import commit_parts
from kolray.lake.erasure.rows import MARK
from kolray.lake.erasure.scan import LOG, every_file, table_of
from kolray.lake.overlap import Advance
from kolray.lake.places import delete
from kolray.lake.tables import LakeTables, read_schema
from kolray.settings import Place


def purge(tables: LakeTables, name: str) -> int:
    """Deletes all that the newest version does not need; returns the files deleted.

    Readers of older versions fail from here on. What had read the table up to its newest version need not read it
    again: their transactions move on with it. May be repeated, also after a kill.
    """
    up_to_date = [reader for reader in readers(tables, name) if _has_read(tables, reader, name)]
    table = tables.table(name)
    deleted = len(table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True))
    table = tables.table(name)
    # an entry of its own: the newest stays beside the checkpoint, and must not tell what was erased
    table.create_write_transaction([], "append", table.schema(), table.metadata().partition_columns)
    table = tables.table(name)
    table.create_checkpoint()
    deleted += _sweep(tables.path(name), table.version())
    for reader in up_to_date:
        _move_on(tables, reader, name, table.version())
    return deleted


def delete_abandoned(tables: LakeTables, paths: list[str]) -> int:
    """Of files under the root, deletes those in no table's folder: a table whose first writer never committed."""
    names = set(tables.names())
    abandoned = [path for path in paths if table_of(path) not in names]
    delete(tables.root, abandoned)
    return len(abandoned)


def _sweep(folder: Place, version: int) -> int:
    """Deletes the log but its newest entry and checkpoint, oldest first, so that a kill leaves a log without holes;
    then what killed writers left half written, which vacuum does not see."""
    _, paths = every_file(folder)
    newest = tuple(f"{LOG}/{name}" for name in (f"{version:020}.json", f"{version:020}.checkpoint", "_last_checkpoint"))
    old = [path for path in paths if path.startswith(f"{LOG}/") and (not path.startswith(newest) or _torn(path))]
    old += [path for path in paths if not path.startswith(f"{LOG}/") and _torn(path)]
    delete(folder, old)
    return len(old)


def _torn(path: str) -> bool:
    """How the object store under Delta names a local file until it is whole."""
    return re.search(r"#\d+$", path) is not None


def _has_read(tables: LakeTables, reader: str, name: str) -> bool:
    """Whether a reader lacks nothing of a table but its erasures and commits that changed no data."""
    done = tables.transaction(reader, tables.source(reader, name))
    if done is None:
        return False
    table = tables.table(name)
    store = log_store(table, tables.options)
    try:
        return not any(_is_news(store, version) for version in range(done + 1, table.version() + 1))
    except FileNotFoundError:
        return False  # it will read everything again


def _is_news(store: pafs.FileSystem, version: int) -> bool:
    actions = actions_of(store, version)
    if any(action.get("commitInfo", {}).get(MARK) for action in actions):
        return False
    files = [action.get("add") or action.get("remove") for action in actions]
    return any(file.get("dataChange", True) for file in files if file)


def _move_on(tables: LakeTables, reader: str, name: str, version: int) -> None:
    source = tables.source(reader, name)
    way = Advance(tables.transaction(reader, source), version)
    commit_parts(reader, tables.path(reader), read_schema(reader), [], {source: way})
