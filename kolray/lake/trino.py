"""The lake's tables in a Trino: its catalog over the lake, and the statements that name them there."""

from __future__ import annotations

from collections.abc import Iterable

import stamina

from kolray.errors import SettingsError
from kolray.lake.tables import LakeTables
from kolray.local.trino import CATALOG, ask
from kolray.settings import Place
from kolray.stores.s3 import connection

NAMES = ".trino"
"""Folder in the lake's root where Trino keeps which tables there are."""
READY_S = 60
_S3 = {"endpoint": "s3.endpoint", "region": "s3.region", "access_key_id": "s3.aws-access-key"}
_S3 |= {"secret_access_key": "s3.aws-secret-key"}


def catalog(root: Place) -> str:
    """The file of a Trino catalog over a lake on this machine or in a bucket; it holds the keys that settings give.

    Raises:
        SettingsError: settings give a session token, which Trino takes from nowhere but the environment.

    >>> print(catalog(Place("/data/lake")))
    connector.name=delta_lake
    delta.register-table-procedure.enabled=true
    hive.metastore=file
    hive.metastore.catalog.dir=local:///.trino
    fs.native-local.enabled=true
    local.location=/data/lake
    <BLANKLINE>
    """
    lines = {
        "connector.name": "delta_lake",
        "delta.register-table-procedure.enabled": "true",
        "hive.metastore": "file",
        "hive.metastore.catalog.dir": f"{location(root).rstrip('/') if root.remote else 'local://'}/{NAMES}",
    }
    if root.remote:
        given = connection(root.s3)
        if "session_token" in given:
            raise SettingsError(
                "Trino takes temporary keys from the environment alone: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
                "and AWS_SESSION_TOKEN instead of KOLRAY_S3__*"
            )
        lines |= {"fs.native-s3.enabled": "true", "s3.path-style-access": str("endpoint" in given).lower()}
        lines |= {_S3[key]: value for key, value in given.items()}
    else:
        lines |= {"fs.native-local.enabled": "true", "local.location": str(root)}
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def location(root: Place) -> str:
    """What the lake's root is called inside a Trino with this catalog."""
    return root.url if root.remote else "local:///"


def statements(names: Iterable[str], root: str) -> list[str]:
    """What makes ``layer.table`` known to a Trino whose catalog ``lake`` is one of its Delta Lake connector (pure).

    Args:
        root: the lake's root as that Trino sees it, e.g. ``s3://bucket/lake``.

    >>> for statement in statements(["gold.features"], "s3://b/lake"):
    ...     print(statement)
    CREATE SCHEMA IF NOT EXISTS lake.gold WITH (location = 's3://b/lake/gold')
    CALL lake.system.register_table('gold', 'features', 's3://b/lake/gold/features')
    """
    within = root if root.endswith("/") else f"{root}/"
    told = []
    for name in sorted(names):
        layer, table = name.split(".")
        schema = f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{layer} WITH (location = '{within}{layer}')"
        told += [schema] if schema not in told else []
        told.append(f"CALL {CATALOG}.system.register_table('{layer}', '{table}', '{within}{layer}/{table}')")
    return told


def register(tables: LakeTables, address: str) -> list[str]:
    """Makes the tables that the lake holds known to a Trino that `kolray local trino` started; returns the new ones.

    What it knows already stays: it reads the newest version of a table with each query. It returns when the tables can
    be read: a Trino that answers of its catalog may have no node yet for a table's files.
    """
    listed = ask(address, f"SELECT table_schema, table_name FROM {CATALOG}.information_schema.tables")  # noqa: S608
    known = {f"{schema}.{table}" for schema, table in listed}
    new = [name for name in tables.names() if name not in known]
    for statement in statements(new, location(tables.root)):
        ask(address, statement)
    for attempt in stamina.retry_context(on=_has_no_node, attempts=None, timeout=READY_S, wait_max=1):
        with attempt:
            ask(address, f'SELECT count(DISTINCT "$path") FROM {tables.names()[0]}')  # noqa: S608
    return new


def _has_no_node(error: Exception) -> bool:
    return "No nodes available" in str(error)
