"""SQL over the lake by an embedded engine: ``bronze.*``, ``silver.*``, ``gold.*`` and ``ref.*`` are views."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import duckdb
import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.tables import LakeTables, Root, data_files


def query(root: Root, sql: str, at: datetime | None = None, versions: Mapping[str, int] | None = None) -> pl.DataFrame:
    """The result of one SELECT.

    Args:
        at: read every table as it was at this time; one that did not exist is not there.
        versions: read these tables at these versions.

    Raises:
        InvalidInputError: the engine refuses the statement; the message says where.
        NotFoundError: a table of ``versions`` does not exist, or not in that version.
    """
    tables = LakeTables(root)
    asked = _versions(tables, at, versions or {})
    views = _mentioned(asked, sql)
    try:
        try:
            return _answer(tables, views, sql, files_alike=True)
        except duckdb.InvalidInputException:  # a file was written before a column that is asked for
            return _answer(tables, views, sql, files_alike=False)
    except duckdb.Error as error:
        raise InvalidInputError(f"{error}\nTables: {', '.join(asked) or 'none yet'}") from error


def _answer(tables: LakeTables, views: dict[str, int | None], sql: str, *, files_alike: bool) -> pl.DataFrame:
    """
    Args:
        files_alike: all files of a table have all of its columns; asking each of them takes longer than most answers.
    """
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")  # hours and days of a time are the same on every machine
        for name, version in views.items():
            _make_view(db, tables, name, version, files_alike=files_alike)
        return _select(db, sql).pl()


def _versions(tables: LakeTables, at: datetime | None, fixed: Mapping[str, int]) -> dict[str, int | None]:
    """The version of every table to read; none: the newest."""
    for name in fixed:
        tables.table(name)  # says so where there is none
    names = tables.names()
    if at is None:
        return {name: fixed.get(name) for name in names}
    then = {name: fixed[name] if name in fixed else tables.version_at(name, at) for name in names}
    return {name: version for name, version in then.items() if version is not None}


def _mentioned(asked: dict[str, int | None], sql: str) -> dict[str, int | None]:
    """The tables that a statement may read, since a view opens its files; all where it names none, as one that asks
    what tables there are.
    """
    text = sql.lower()
    named = {name: version for name, version in asked.items() if all(part in text for part in name.split("."))}
    return named or asked


def _make_view(
    db: duckdb.DuckDBPyConnection, tables: LakeTables, name: str, version: int | None, *, files_alike: bool
) -> None:
    layer, _, kind = name.partition(".")
    db.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
    table = _at(tables, name, version)
    files = ", ".join(_quoted(file) for file in data_files(table))
    if tables.root.remote or not files:
        # a bucket through Delta's own client: some requests a file, where the engine's by way of Python are twenty
        db.register(f"{layer}_{kind}", table.to_pyarrow_dataset())
        db.execute(f"CREATE VIEW {name} AS SELECT * FROM {layer}_{kind}")  # noqa: S608
    else:
        read = f"SELECT * FROM read_parquet([{files}], hive_partitioning = true, union_by_name = {{}})"  # noqa: S608
        db.execute(f"CREATE VIEW {name} AS {read.format(not files_alike)}")
        if files_alike and {row[0] for row in db.execute(f"DESCRIBE {name}").fetchall()} != _columns(table):
            db.execute(f"CREATE OR REPLACE VIEW {name} AS {read.format(True)}")


def _columns(table: DeltaTable) -> set[str]:
    return {field.name for field in table.schema().fields}


def _at(tables: LakeTables, name: str, version: int | None) -> DeltaTable:
    try:
        return tables.table(name, version)
    except DeltaError as error:
        newest = tables.table(name).version()
        raise NotFoundError(f"{name} cannot be read at version {version}: the newest is {newest} ({error})") from error


def _select(db: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    if [statement.type for statement in db.extract_statements(sql)] != [duckdb.StatementType.SELECT]:
        raise InvalidInputError("write one SELECT: the lake is changed by kolray's own jobs alone")
    return db.sql(sql)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
