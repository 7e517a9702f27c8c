"""The lake's tables in a Trino: the statements that name them there."""

from __future__ import annotations

from collections.abc import Iterable

from kolray.lake.tables import LakeTables
from kolray.local.trino import CATALOG, LOCATION, ask


def statements(names: Iterable[str], location: str = LOCATION, catalog: str = CATALOG) -> list[str]:
    """What makes ``layer.table`` known to a Trino whose ``catalog`` is one of its Delta Lake connector (pure).

    Args:
        location: the lake's root as that Trino sees it, e.g. ``s3://bucket/lake``.

    >>> for statement in statements(["gold.features"], "s3://b/lake"):
    ...     print(statement)
    CREATE SCHEMA IF NOT EXISTS lake.gold WITH (location = 's3://b/lake/gold')
    CALL lake.system.register_table('gold', 'features', 's3://b/lake/gold/features')
    """
    root = location if location.endswith("/") else f"{location}/"
    told = []
    for name in sorted(names):
        layer, table = name.split(".")
        schema = f"CREATE SCHEMA IF NOT EXISTS {catalog}.{layer} WITH (location = '{root}{layer}')"
        told += [schema] if schema not in told else []
        told.append(f"CALL {catalog}.system.register_table('{layer}', '{table}', '{root}{layer}/{table}')")
    return told


def register(tables: LakeTables, address: str) -> list[str]:
    """Makes the tables that the lake holds known to a Trino that `kolray local trino` started; returns the new ones.

    What it knows already stays: it reads the newest version of a table with each query.
    """
    listed = ask(address, f"SELECT table_schema, table_name FROM {CATALOG}.information_schema.tables")  # noqa: S608
    known = {f"{schema}.{table}" for schema, table in listed}
    new = [name for name in tables.names() if name not in known]
    for statement in statements(new):
        ask(address, statement)
    return new
