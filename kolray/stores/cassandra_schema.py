"""Cassandra's tables, as migrations that are applied once and recorded."""

from __future__ import annotations

import polars as pl

from kolray.events import Columns
from kolray.features.window_metrics import FOLLOWERS_RANGE, VISITORS
from kolray.stores.metrics import ALERT_SCHEMA, SCORE_RECORD, SCORE_SCHEMA, WINDOW_SCHEMA, without

KEYSPACE = (
    "CREATE KEYSPACE IF NOT EXISTS {ks} WITH replication = "
    "{{'class': 'SimpleStrategy', 'replication_factor': {replication}}}"
)


def _columns(schema: Columns) -> str:
    return ", ".join(f"{name} {_type(dtype)}" for name, dtype in schema.items())


def _type(dtype: object) -> str:
    if isinstance(dtype, pl.Datetime):
        return "timestamp"
    return {pl.String: "text", pl.Int64: "bigint", pl.Float64: "double", pl.Boolean: "boolean"}[dtype]  # type: ignore[index]


_FIRST_WINDOWS = without(WINDOW_SCHEMA, VISITORS, *FOLLOWERS_RANGE)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001-window-rows-scores-alerts",
        (
            f"CREATE TABLE IF NOT EXISTS {{ks}}.windows (day date, {_columns(_FIRST_WINDOWS)}, "
            "PRIMARY KEY ((kol_id, window, day), window_start))",
            f"CREATE TABLE IF NOT EXISTS {{ks}}.alerts (day date, {_columns(ALERT_SCHEMA)}, "
            "PRIMARY KEY (day, at, alert_id)) WITH CLUSTERING ORDER BY (at DESC, alert_id DESC)",
            f"CREATE TABLE IF NOT EXISTS {{ks}}.alerts_by_kol (day date, {_columns(ALERT_SCHEMA)}, "
            "PRIMARY KEY (kol_id, at, alert_id)) WITH CLUSTERING ORDER BY (at DESC, alert_id DESC)",
            f"CREATE TABLE IF NOT EXISTS {{ks}}.scores ({_columns(without(SCORE_SCHEMA, *SCORE_RECORD))}, "
            "PRIMARY KEY (kol_id, as_of, model)) WITH CLUSTERING ORDER BY (as_of DESC, model ASC)",
        ),
    ),
    ("0002-unique-visitors", (f"ALTER TABLE {{ks}}.windows ADD {VISITORS} bigint",)),
    (
        "0003-score-records",
        (
            "ALTER TABLE {ks}.scores ADD scored_at timestamp",
            "ALTER TABLE {ks}.scores ADD runtime_ms double",
            "ALTER TABLE {ks}.scores ADD features text",
        ),
    ),
    ("0004-range-of-followers", tuple(f"ALTER TABLE {{ks}}.windows ADD {name} bigint" for name in FOLLOWERS_RANGE)),
)
