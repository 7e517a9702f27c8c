"""The metrics store on Apache Cassandra: rows of one KOL, window kind and day share a partition."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import polars as pl
from cassandra import DriverException, OperationTimedOut, RequestExecutionException
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.concurrent import execute_concurrent
from cassandra.policies import ExponentialReconnectionPolicy
from cassandra.query import BatchStatement, BatchType, BoundStatement, tuple_factory

from kolray.errors import ServiceUnavailableError
from kolray.events import Columns
from kolray.stores.cassandra_rows import encoded_rows
from kolray.stores.cassandra_schema import KEYSPACE, MIGRATIONS
from kolray.stores.metrics import ALERT_SCHEMA, SCORE_SCHEMA, WINDOW_SCHEMA, AlertPlace, Version

BATCH_ROWS = 10
"""Rows with the same replicas that are sent together: more partitions or bytes, and Cassandra warns of the batch."""
IN_FLIGHT = 64
SCAN_ROWS = 50_000
SCAN_PARTITIONS = 500
"""A day of five-minute windows is 288 rows."""
RECONNECT_S = 5.0
"""Longest pause between attempts to reach a node that went away; the driver's own is ten minutes."""
_WINDOWS_OF = "WHERE kol_id = ? AND window = ? AND day = ?"
FAILURES = (NoHostAvailable, OperationTimedOut, RequestExecutionException, DriverException)


class CassandraStore:
    """``MetricsStore`` on a cluster; see the protocol for the contract of each method.

    Args:
        url: ``cassandra://HOST[,HOST]:PORT/KEYSPACE``.
        replication: replication factor of the keyspace ``migrate`` makes.
        options: further ones of the driver's ``Cluster`` (``cassandra_access.identity``).
    """

    def __init__(self, url: str, replication: int = 1, options: Mapping[str, Any] | None = None) -> None:
        parts = urlsplit(url)
        hosts, _, port = parts.netloc.partition(":")
        self._address, self._keyspace, self._replication = parts.netloc, parts.path.strip("/") or "kolray", replication
        logging.getLogger("cassandra").setLevel(logging.ERROR)
        self._hosts, self._port = hosts.split(","), int(port or 9042)
        self._options = dict(options or {})
        self._cluster: Any = None
        self._prepared: dict[str, Any] = {}
        self._session: Any = None

    def _connected(self) -> Any:
        if self._session is None:
            profile = ExecutionProfile(request_timeout=30, row_factory=tuple_factory)
            self._cluster = Cluster(  # a new one each time: one that could not connect is shut down for good
                self._hosts,
                port=self._port,
                execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                connect_timeout=10,
                reconnection_policy=ExponentialReconnectionPolicy(0.5, RECONNECT_S),
                **self._options,
            )
            try:
                self._session = self._cluster.connect()
            except FAILURES as error:
                raise self._away(error) from error
        return self._session

    def _away(self, error: Exception) -> ServiceUnavailableError:
        advice = "start it with `kolray up --profile local`, and make its schema with `kolray init`"
        return ServiceUnavailableError("Cassandra", self._address, f"{type(error).__name__}; {advice}")

    def _prepare(self, cql: str) -> Any:
        if cql not in self._prepared:
            self._prepared[cql] = self._connected().prepare(cql.format(ks=self._keyspace))
        return self._prepared[cql]

    def migrate(self) -> list[str]:
        session, applied = self._connected(), []
        try:
            session.execute(KEYSPACE.format(ks=self._keyspace, replication=self._replication))
            session.execute(f"CREATE TABLE IF NOT EXISTS {self._keyspace}.migrations (name text PRIMARY KEY)")
            known = {name for (name,) in session.execute(f"SELECT name FROM {self._keyspace}.migrations")}
            for name, statements in MIGRATIONS:
                if name not in known:
                    for statement in statements:
                        session.execute(statement.format(ks=self._keyspace))
                    session.execute(f"INSERT INTO {self._keyspace}.migrations (name) VALUES (%s)", (name,))
                    applied.append(name)
        except FAILURES as error:
            raise self._away(error) from error
        return applied

    def drop(self) -> None:
        """Drops the keyspace with all that is in it: for benchmarks, which make their own."""
        self._connected().execute(f"DROP KEYSPACE IF EXISTS {self._keyspace}", timeout=120)

    def upsert_windows(self, rows: pl.DataFrame, version: Version) -> None:
        if not rows.height:
            return
        columns = ("day", *WINDOW_SCHEMA)
        insert = self._prepare(_insert("windows", columns) + " USING TIMESTAMP ?")
        ready = rows.sort("kol_id", "window", "window_start").select(
            pl.col("window_start").dt.date().alias("day"), *WINDOW_SCHEMA, pl.lit(version.at_us)
        )
        self._execute_all([(batch, ()) for batch in self._batches(insert, ready)])

    def _batches(self, insert: Any, rows: pl.DataFrame) -> Iterator[BatchStatement]:
        """Rows in batches that no node has to pass on: those of a batch have the same replicas."""
        groups: dict[frozenset[Any], list[Any]] = defaultdict(list)
        for values in encoded_rows(rows):
            bound = BoundStatement(insert)
            bound.values = values
            groups[self._replicas(bound)].append(bound)
        for group in groups.values():
            for at in range(0, len(group), BATCH_ROWS):
                batch = BatchStatement(batch_type=BatchType.UNLOGGED)
                for bound in group[at : at + BATCH_ROWS]:
                    batch.add(bound)
                yield batch

    def _replicas(self, bound: BoundStatement) -> frozenset[Any]:
        """The nodes that hold a row; nothing is asked where there is but one."""
        metadata = self._cluster.metadata
        if len(metadata.all_hosts()) <= 1:
            return frozenset()
        return frozenset(metadata.get_replicas(self._keyspace, bound.routing_key))

    def upsert_alerts(self, rows: pl.DataFrame, version: Version) -> None:
        del version  # an alert never changes: its identity holds all that decides it
        ready = _driver_times(rows.with_columns(day=pl.col("at").dt.date()))
        columns = ("day", *ALERT_SCHEMA)
        values = ready.select(*columns).rows()
        tables = ("alerts", "alerts_by_kol")
        self._execute_all([(self._prepare(_insert(table, columns)), row) for table in tables for row in values])

    def upsert_scores(self, rows: pl.DataFrame) -> None:
        insert = self._prepare(_insert("scores", tuple(SCORE_SCHEMA)))
        self._execute_all([(insert, row) for row in _driver_times(rows.select(*SCORE_SCHEMA)).rows()])

    def _execute_all(self, statements: list[Any]) -> None:
        """Asynchronous, bounded in flight; returns when all are acknowledged."""
        try:
            session = self._connected()
            execute_concurrent(session, statements, concurrency=IN_FLIGHT, raise_on_first_error=True)
        except FAILURES as error:
            raise self._away(error) from error

    def windows(
        self, kol_id: str, window: str, start: datetime, end: datetime, columns: Sequence[str] = tuple(WINDOW_SCHEMA)
    ) -> pl.DataFrame:
        read = dict.fromkeys(("window_start", *columns))  # by which days that were asked side by side are put in order
        cql = f"SELECT {', '.join(read)} FROM {{ks}}.windows WHERE kol_id = ? AND window = ? AND day = ? "
        select = self._prepare(cql + "AND window_start >= ? AND window_start < ?")
        statements = [(select, (kol_id, window, day, start, end)) for day in _days(start, end)]
        rows = [row for result in self._query_all(statements) for row in result]
        found = _frame(rows, {name: WINDOW_SCHEMA[name] for name in read}).sort("window_start")
        return found.select(columns)

    def scan_windows(self, final_only: bool = True, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        if since is None:
            found = self._scan(f"SELECT {', '.join(WINDOW_SCHEMA)} FROM {self._keyspace}.windows", ())
        else:
            found = self._rows_since(since)
        for rows in found:
            yield _kept(rows, final_only)

    def _rows_since(self, since: datetime) -> Iterator[list[Any]]:
        """Reads the partitions of these days; of the others no more than their keys."""
        cql = f"SELECT {', '.join(WINDOW_SCHEMA)} FROM {{ks}}.windows WHERE kol_id = ? AND window = ? AND day = ? "
        select = self._prepare(cql + "AND window_start >= ?")
        for keys in self._scan(f"SELECT DISTINCT kol_id, window, day FROM {self._keyspace}.windows", ()):
            wanted = [(select, (*key, since)) for key in keys if key[2].date() >= since.date()]
            for at in range(0, len(wanted), SCAN_PARTITIONS):
                results = self._query_all(wanted[at : at + SCAN_PARTITIONS])
                yield [row for result in results for row in result]

    def scan_scores(self, since: datetime) -> Iterator[pl.DataFrame]:
        cql = f"SELECT {', '.join(SCORE_SCHEMA)} FROM {self._keyspace}.scores WHERE scored_at >= %s ALLOW FILTERING"
        for rows in self._scan(cql, (since,)):
            yield _frame(rows, SCORE_SCHEMA)

    def _scan(self, cql: str, arguments: tuple[Any, ...]) -> Iterator[list[Any]]:
        try:
            rows: list[Any] = []
            for row in self._connected().execute(cql, arguments, timeout=None):
                rows.append(row)
                if len(rows) == SCAN_ROWS:
                    yield rows
                    rows = []
            if rows:
                yield rows
        except FAILURES as error:
            raise self._away(error) from error

    def scores(self, kol_id: str, limit: int = 1) -> pl.DataFrame:
        cql = f"SELECT {', '.join(SCORE_SCHEMA)} FROM {{ks}}.scores WHERE kol_id = ? LIMIT ?"
        [rows] = self._query_all([(self._prepare(cql), (kol_id, limit))])
        return _frame(list(rows), SCORE_SCHEMA)

    def alerts(
        self, since: datetime, kol_id: str | None = None, limit: int = 100, before: AlertPlace | None = None
    ) -> pl.DataFrame:
        wanted, bounds = "(at, alert_id) >= (?, ?)", [since, ""]
        if before is not None:
            wanted, bounds = f"{wanted} AND (at, alert_id) < (?, ?)", [*bounds, *before]
        cql = f"SELECT {', '.join(ALERT_SCHEMA)} FROM {{ks}}.{{table}} WHERE {{key}} = ? AND {wanted} LIMIT ?"
        if kol_id is not None:
            of_kol = self._prepare(cql.replace("{table}", "alerts_by_kol").replace("{key}", "kol_id"))
            statements: list[Any] = [(of_kol, (kol_id, *bounds, limit))]
        else:
            last = date.max if before is None else before.at.date()
            of_day = self._prepare(cql.replace("{table}", "alerts").replace("{key}", "day"))
            days = [day for day in self._alert_days() if since.date() <= day <= last]
            statements = [(of_day, (day, *bounds, limit)) for day in days]
        rows = [row for result in self._query_all(statements) for row in result]
        return _frame(rows, ALERT_SCHEMA).sort("at", "alert_id", descending=True).head(limit)

    def _alert_days(self) -> list[date]:
        [rows] = self._query_all([(self._prepare("SELECT DISTINCT day FROM {ks}.alerts"), ())])
        return [day.date() for (day,) in rows]

    def _query_all(self, statements: list[Any]) -> list[Any]:
        try:
            results = execute_concurrent(self._connected(), statements, concurrency=IN_FLIGHT)
            return [list(result.result_or_exc) for result in results]
        except FAILURES as error:
            raise self._away(error) from error

    def forget(self, kol_id: str) -> int:
        """Tombstones newer than any of its rows. Cassandra's files lose the rows when it compacts them, and the
        tombstones, which hold the id, once they are ``gc_grace_seconds`` old (by default ten days)."""
        keys = self._window_keys(kol_id)
        kols = sorted({kol_id, *(kol for kol, *_ in keys)})  # as it is, and with spaces around
        newest = self._prepare(f"SELECT max(writetime(final)), count(*) FROM {{ks}}.windows {_WINDOWS_OF}")
        written = [rows[0] for rows in self._query_all([(newest, key) for key in keys])]
        gone = self._prepare(f"DELETE FROM {{ks}}.windows USING TIMESTAMP ? {_WINDOWS_OF}")
        self._execute_all(
            [(gone, (at + 1, *key)) for key, (at, _) in zip(keys, written, strict=True) if at is not None]
        )
        placed = self._of_kols("SELECT day, at, alert_id FROM {ks}.alerts_by_kol WHERE kol_id = ?", kols)
        one = self._prepare("DELETE FROM {ks}.alerts WHERE day = ? AND at = ? AND alert_id = ?")
        self._execute_all([(one, place) for place in placed])
        scores = self._of_kols("SELECT as_of FROM {ks}.scores WHERE kol_id = ?", kols)
        for table in ("alerts_by_kol", "scores"):
            whole = self._prepare(f"DELETE FROM {{ks}}.{table} WHERE kol_id = ?")
            self._execute_all([(whole, (kol,)) for kol in kols])
        return sum(n for _, n in written) + len(placed) + len(scores)

    def traces(self, kol_id: str) -> int:
        tables = ("alerts_by_kol", "scores", "alerts")
        rows = [
            self._of_kols(f"SELECT kol_id FROM {{ks}}.{table} WHERE kol_id = ? ALLOW FILTERING", [kol_id])
            for table in tables
        ]
        return len(self._window_keys(kol_id)) + sum(map(len, rows))

    def _window_keys(self, kol_id: str) -> list[tuple[Any, ...]]:
        """The partitions of a KOL, also under its id with spaces around."""
        cql = f"SELECT DISTINCT kol_id, window, day FROM {self._keyspace}.windows"
        return [key for rows in self._scan(cql, ()) for key in rows if key[0].strip() == kol_id]

    def _of_kols(self, cql: str, kol_ids: list[str]) -> list[Any]:
        select = self._prepare(cql)
        return [row for rows in self._query_all([(select, (kol,)) for kol in kol_ids]) for row in rows]

    def ping(self) -> None:
        self._query_all([(self._prepare("SELECT name FROM {ks}.migrations LIMIT 1"), ())])

    def close(self) -> None:
        if self._cluster is not None:
            self._cluster.shutdown()


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {{ks}}.{table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _driver_times(rows: pl.DataFrame) -> pl.DataFrame:
    """The driver takes ms since the epoch for timestamps: no datetime object a row."""
    return rows.with_columns(pl.col(pl.Datetime).dt.epoch("ms"))


def _days(start: datetime, end: datetime) -> list[date]:
    first, last = start.astimezone(UTC).date(), (end - timedelta(milliseconds=1)).astimezone(UTC).date()
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def _kept(rows: list[Any], final_only: bool) -> pl.DataFrame:
    frame = _frame(rows, WINDOW_SCHEMA)
    return frame.filter("final") if final_only else frame


def _frame(rows: list[Any], schema: Columns) -> pl.DataFrame:
    raw = {name: pl.Datetime("ms") if isinstance(dtype, pl.Datetime) else dtype for name, dtype in schema.items()}
    frame = pl.DataFrame(rows, schema=raw, orient="row")
    return frame.with_columns(pl.col(pl.Datetime).dt.replace_time_zone("UTC")).cast(pl.Schema(schema))
