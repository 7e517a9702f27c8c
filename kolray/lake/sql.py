"""SQL over the lake by an embedded engine: ``bronze.*``, ``silver.*``, ``gold.*`` and ``ref.*`` are views."""

from __future__ import annotations

import duckdb
import polars as pl

from kolray.errors import InvalidInputError
from kolray.lake.tables import LakeTables


def query(root: str, sql: str) -> pl.DataFrame:
    """The result of one SELECT.

    Raises:
        InvalidInputError: the engine refuses the statement; the message says where.
    """
    tables = LakeTables(root)
    with duckdb.connect() as db:
        for name in tables.names():
            layer = name.split(".")[0]
            db.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
            files = ", ".join(_quoted(file) for file in tables.files(name))
            if files:
                db.execute(
                    f"CREATE VIEW {name} AS SELECT * FROM read_parquet([{files}], "  # noqa: S608
                    "hive_partitioning = true, union_by_name = true)"
                )
        try:
            return _select(db, sql).pl()
        except duckdb.Error as error:
            raise InvalidInputError(f"{error}\nTables: {', '.join(tables.names()) or 'none yet'}") from error


def _select(db: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    if [statement.type for statement in db.extract_statements(sql)] != [duckdb.StatementType.SELECT]:
        raise InvalidInputError("write one SELECT: the lake is changed by kolray's own jobs alone")
    return db.sql(sql)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
