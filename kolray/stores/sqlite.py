"""The metrics store of the embedded profile: one SQLite file, written by several shard processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from kolray.clock import to_ms
from kolray.errors import ServiceUnavailableError
from kolray.events import Columns
from kolray.features.window_metrics import FOLLOWERS_RANGE, VISITORS
from kolray.stores.metrics import ALERT_SCHEMA, SCORE_RECORD, SCORE_SCHEMA, WINDOW_SCHEMA, AlertPlace, Version, without

TABLES = ("windows", "alerts", "scores")
_IS_KOL = "trim(kol_id) = ?"
SCAN_ROWS = 200_000
BUSY_MS = 60_000
"""How long a writer waits for another process' transaction."""


def _columns(schema: Columns) -> str:
    types = {name: "TEXT" if t == pl.String else "REAL" if t == pl.Float64 else "INTEGER" for name, t in schema.items()}
    return ", ".join(f"{name} {sql}" for name, sql in types.items())


_FIRST_WINDOWS = without(WINDOW_SCHEMA, VISITORS, *FOLLOWERS_RANGE)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001-window-rows-scores-alerts",
        (
            f"CREATE TABLE windows ({_columns(_FIRST_WINDOWS)}, epoch INTEGER, at_us INTEGER, "
            "PRIMARY KEY (kol_id, window, window_start)) WITHOUT ROWID",
            f"CREATE TABLE alerts ({_columns(ALERT_SCHEMA)}, PRIMARY KEY (alert_id)) WITHOUT ROWID",
            "CREATE INDEX alerts_at ON alerts (at DESC)",
            f"CREATE TABLE scores ({_columns(without(SCORE_SCHEMA, *SCORE_RECORD))}, "
            "PRIMARY KEY (kol_id, as_of, model)) WITHOUT ROWID",
        ),
    ),
    ("0002-unique-visitors", (f"ALTER TABLE windows ADD COLUMN {VISITORS} INTEGER",)),
    (
        "0003-score-records",
        (
            "ALTER TABLE scores ADD COLUMN scored_at INTEGER",
            "ALTER TABLE scores ADD COLUMN runtime_ms REAL",
            "ALTER TABLE scores ADD COLUMN features TEXT",
        ),
    ),
    ("0004-range-of-followers", tuple(f"ALTER TABLE windows ADD COLUMN {name} INTEGER" for name in FOLLOWERS_RANGE)),
)


class SqliteStore:
    """``MetricsStore`` on a file; see the protocol for the contract of each method."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, timeout=BUSY_MS / 1000, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        except (OSError, sqlite3.Error) as error:
            raise ServiceUnavailableError("SQLite", str(path), f"the file cannot be opened ({error})") from error

    def migrate(self) -> list[str]:
        applied = []
        with self._db as db:
            db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
            known = {name for (name,) in db.execute("SELECT name FROM migrations")}
            for name, statements in MIGRATIONS:
                if name not in known:
                    for statement in statements:
                        db.execute(statement)
                    db.execute("INSERT INTO migrations VALUES (?)", (name,))
                    applied.append(name)
        return applied

    def upsert_windows(self, rows: pl.DataFrame, version: Version) -> None:
        newer = "(excluded.epoch, excluded.at_us) >= (windows.epoch, windows.at_us)"
        stamped = rows.with_columns(epoch=pl.lit(version.epoch), at_us=pl.lit(version.at_us))
        self._upsert("windows", stamped, ("kol_id", "window", "window_start"), newer)

    def upsert_alerts(self, rows: pl.DataFrame, version: Version) -> None:
        del version  # an alert never changes: its identity holds all that decides it
        self._upsert("alerts", rows, ("alert_id",))

    def upsert_scores(self, rows: pl.DataFrame) -> None:
        self._upsert("scores", rows, ("kol_id", "as_of", "model"))

    def _upsert(self, table: str, rows: pl.DataFrame, key: Sequence[str], condition: str = "true") -> None:
        columns = rows.columns
        changes = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in key)
        sql = (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} WHERE {condition}"
        )
        plain = rows.with_columns(pl.col(pl.Datetime).dt.epoch("ms"), pl.col(pl.Boolean).cast(pl.Int64))
        try:
            with self._db as db:
                db.executemany(sql, plain.iter_rows())
        except sqlite3.OperationalError as error:
            advice = "; run `kolray init`" if "no " in str(error) else ""  # no such table, no column named …
            raise ServiceUnavailableError("SQLite", str(self._path), f"{error}{advice}") from error

    def windows(
        self, kol_id: str, window: str, start: datetime, end: datetime, columns: Sequence[str] = tuple(WINDOW_SCHEMA)
    ) -> pl.DataFrame:
        wanted = {name: WINDOW_SCHEMA[name] for name in columns}
        sql = "WHERE kol_id = ? AND window = ? AND window_start >= ? AND window_start < ? ORDER BY window_start"
        return self._select("windows", wanted, sql, (kol_id, window, to_ms(start), to_ms(end)))

    def scan_windows(self, final_only: bool = True, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        where = f"WHERE window_start >= ? {'AND final = 1' if final_only else ''}"
        yield from self._scan("windows", WINDOW_SCHEMA, where, (to_ms(since) if since else 0,))

    def scan_scores(self, since: datetime) -> Iterator[pl.DataFrame]:
        yield from self._scan("scores", SCORE_SCHEMA, "WHERE scored_at >= ?", (to_ms(since),))

    def _scan(self, table: str, schema: Columns, where: str, arguments: tuple[Any, ...]) -> Iterator[pl.DataFrame]:
        cursor = self._db.execute(f"SELECT {', '.join(schema)} FROM {table} {where}", arguments)
        while rows := cursor.fetchmany(SCAN_ROWS):
            yield _frame(rows, schema)

    def scores(self, kol_id: str, limit: int = 1) -> pl.DataFrame:
        return self._select("scores", SCORE_SCHEMA, "WHERE kol_id = ? ORDER BY as_of DESC LIMIT ?", (kol_id, limit))

    def alerts(
        self, since: datetime, kol_id: str | None = None, limit: int = 100, before: AlertPlace | None = None
    ) -> pl.DataFrame:
        wanted, arguments = ["at >= ?"], list[int | str]([to_ms(since)])
        if kol_id is not None:
            wanted, arguments = [*wanted, "kol_id = ?"], [*arguments, kol_id]
        if before is not None:
            wanted, arguments = [*wanted, "(at, alert_id) < (?, ?)"], [*arguments, to_ms(before.at), before.alert_id]
        rest = f"WHERE {' AND '.join(wanted)} ORDER BY at DESC, alert_id DESC LIMIT ?"
        return self._select("alerts", ALERT_SCHEMA, rest, (*arguments, limit))

    def _select(self, table: str, schema: Columns, rest: str, arguments: tuple[Any, ...]) -> pl.DataFrame:
        try:
            rows = self._db.execute(f"SELECT {', '.join(schema)} FROM {table} {rest}", arguments).fetchall()
        except sqlite3.OperationalError as error:
            raise ServiceUnavailableError("SQLite", str(self._path), f"{error}; run `kolray init`") from error
        return _frame(rows, schema)

    def forget(self, kol_id: str) -> int:
        """The file is written anew: deleted rows would stay in its unused bytes and in the journal."""
        try:
            with self._db as db:
                rows = [db.execute(f"DELETE FROM {table} WHERE {_IS_KOL}", (kol_id,)).rowcount for table in TABLES]
            self._db.execute("VACUUM")
            busy, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            advice = "run `kolray init`" if "no such" in str(error) else "run it again"
            raise ServiceUnavailableError("SQLite", str(self._path), f"{error}; {advice}") from error
        if busy:
            raise ServiceUnavailableError("SQLite", str(self._path), "a long read is under way; run it again")
        return sum(rows)

    def traces(self, kol_id: str) -> int:
        """Also bytes of the files that no row explains, unless a longer id contains this one: rows have no marks
        between their values by which raw bytes could tell the two apart."""
        rows = sum(self._count(table, _IS_KOL, kol_id) for table in TABLES)
        if rows or any(self._count(table, "instr(kol_id, ?) > 0", kol_id) for table in TABLES):
            return rows
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(file.read_bytes().count(kol_id.encode()) for file in files if file.exists())

    def _count(self, table: str, where: str, kol_id: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {table} WHERE {where}", (kol_id,)).fetchone()[0])

    def ping(self) -> None:
        try:
            self._db.execute("SELECT 1 FROM migrations LIMIT 1")
        except sqlite3.OperationalError as error:
            raise ServiceUnavailableError("SQLite", str(self._path), f"{error}; run `kolray init`") from error

    def close(self) -> None:
        self._db.close()


def _frame(rows: list[tuple[Any, ...]], schema: Columns) -> pl.DataFrame:
    plain = {name: dtype if dtype in (pl.String, pl.Float64) else pl.Int64 for name, dtype in schema.items()}
    frame = pl.DataFrame(rows, schema=plain, orient="row")
    # Each by itself: a cast of the frame is a query with an engine and threads, which for a row costs more than SQLite.
    return pl.DataFrame([frame.get_column(name).cast(dtype) for name, dtype in schema.items()])
