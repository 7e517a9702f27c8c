"""What a platform's polls remember: totals, events not yet sent, cursors, and what was spent. One SQLite file.

Totals, cursor and the events made of a page are committed together, before anything is produced: a crash repeats the
same events with the same ids, and the next poll goes on at the cursor.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kolray.connectors.base import Row
from kolray.errors import SettingsError

_TABLES = """
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, totals TEXT NOT NULL, sequence INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS pending (number INTEGER PRIMARY KEY, kol_id TEXT NOT NULL, event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (account_id TEXT PRIMARY KEY, held TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (number INTEGER PRIMARY KEY, started_ms INTEGER NOT NULL, ended INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS salts (one INTEGER PRIMARY KEY, salt TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spent (period TEXT PRIMARY KEY, units INTEGER NOT NULL);
"""


@dataclass
class AccountState:
    """Where the poll of an account stands, and what earlier ones showed; times are ms since the epoch.

    ``stage`` is what is fetched next in ``round`` (``posts``, ``comments``; ``done``) at ``cursor``, after ``pages`` of
    it; ``asked`` are posts whose comments are fetched, ``caught_up`` says whether the poll before came to its end.
    ``first_ms`` is when its first whole poll began, ``polled_ms`` when the last one ended. ``changed`` and ``units``
    count up during a poll; ``change_per_h`` is the smoothed rate of change, ``cost`` the units of the last whole poll.
    """

    round: int = 0
    stage: str = ""
    cursor: str | None = None
    asked: list[str] = field(default_factory=list)
    pages: int = 0
    caught_up: bool = False
    started_ms: int = 0
    first_ms: int | None = None
    polled_ms: int | None = None
    changed: int = 0
    units: int = 0
    change_per_h: float | None = None
    cost: int | None = None


class PollState:
    """The file at ``path``, made if absent. Writes within ``step`` are one transaction.

    Raises:
        SettingsError: the file is no such database.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            self._db.executescript(_TABLES)
            self._db.execute("INSERT OR IGNORE INTO salts VALUES (1, ?)", (secrets.token_hex(16),))
        except sqlite3.DatabaseError as error:
            raise SettingsError(f"{path} is damaged ({error}); remove it to poll from scratch") from error

    def close(self) -> None:
        self._db.close()

    @property
    def salt(self) -> str:
        """Made by chance with the file: what authors are hashed with."""
        return str(self._db.execute("SELECT salt FROM salts").fetchone()[0])

    @contextmanager
    def step(self) -> Iterator[None]:
        """All or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def seen(self, key: str) -> dict[str, Any] | None:
        """The totals last seen, or None at first sight."""
        row = self._db.execute("SELECT totals FROM seen WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, key: str, totals: dict[str, Any]) -> None:
        """Remembers totals."""
        self._db.execute(
            "INSERT INTO seen (key, totals) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET totals = excluded.totals",
            (key, json.dumps(totals)),
        )

    def next_id(self, key: str) -> str:
        """An event id that is new for each change and the same when the change is sent again."""
        [number] = self._db.execute(
            "UPDATE seen SET sequence = sequence + 1 WHERE key = ? RETURNING sequence", (key,)
        ).fetchone()
        return f"{key}:{number}"

    def add_pending(self, rows: list[Row]) -> None:
        """Events to be sent."""
        self._db.executemany(
            "INSERT INTO pending (kol_id, event) VALUES (?, ?)", [(row["kol_id"], json.dumps(row)) for row in rows]
        )

    def pending(self) -> tuple[int, list[Row]]:
        """(the number of the newest, the events made but perhaps not yet sent, oldest first)."""
        found = self._db.execute("SELECT number, event FROM pending ORDER BY number").fetchall()
        return (found[-1][0] if found else 0), [json.loads(event) for _, event in found]

    def count_pending(self) -> int:
        """How many they are."""
        return int(self._db.execute("SELECT count(*) FROM pending").fetchone()[0])

    def forget_pending(self, upto: int) -> None:
        """After they were acknowledged."""
        self._db.execute("DELETE FROM pending WHERE number <= ?", (upto,))

    def account(self, account_id: str) -> AccountState:
        """As it was kept, or a new one."""
        row = self._db.execute("SELECT held FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
        return AccountState() if row is None else AccountState(**json.loads(row[0]))

    def keep_account(self, account_id: str, account: AccountState) -> None:
        """Remembers where an account stands."""
        self._db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (account_id, json.dumps(vars(account))))

    def accounts(self) -> dict[str, AccountState]:
        """Every account that was ever polled."""
        rows = self._db.execute("SELECT account_id, held FROM accounts ORDER BY account_id")
        return {account_id: AccountState(**json.loads(held)) for account_id, held in rows}

    def begin_round(self, now_ms: int, stale_after_ms: int) -> int:
        """The number of the round that did not end, or of a new one if that began ``stale_after_ms`` ago or more."""
        row = self._db.execute("SELECT number, started_ms, ended FROM rounds ORDER BY number DESC LIMIT 1").fetchone()
        number, started_ms, ended = row or (0, 0, 1)
        if not ended and 0 <= now_ms - started_ms < stale_after_ms:
            return int(number)
        self._db.execute("DELETE FROM rounds")
        self._db.execute("INSERT INTO rounds VALUES (?, ?, 0)", (number + 1, now_ms))
        return int(number) + 1

    def end_round(self, number: int) -> None:
        """The next poll begins another."""
        self._db.execute("UPDATE rounds SET ended = 1 WHERE number = ?", (number,))

    def spent(self, period: str) -> int:
        """Units spent in a period of a quota."""
        row = self._db.execute("SELECT units FROM spent WHERE period = ?", (period,)).fetchone()
        return 0 if row is None else int(row[0])

    def add_spent(self, periods: list[str], units: int) -> None:
        """Adds to what was spent in periods; those older than the previous one are dropped."""
        with self.step():
            self._db.execute("DELETE FROM spent WHERE period NOT IN (SELECT period FROM spent ORDER BY 1 DESC LIMIT 2)")
            self._db.executemany(
                "INSERT INTO spent VALUES (?, ?) ON CONFLICT (period) DO UPDATE SET units = units + excluded.units",
                [(period, units) for period in periods],
            )

    def erase(self, names: Callable[[str], bool]) -> int:
        """Takes out what names an account; returns how many entries did."""
        gone = 0
        with self.step():
            for table, column in (("seen", "key"), ("pending", "kol_id"), ("accounts", "account_id")):
                held = [row[0] for row in self._db.execute(f"SELECT DISTINCT {column} FROM {table}")]  # noqa: S608
                for value in filter(names, held):
                    gone += self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (value,)).rowcount  # noqa: S608
        if gone:
            self._db.execute("VACUUM")
        return gone


def forget_polled(path: Path, names: Callable[[str], bool]) -> int:
    """Takes what names an account out of a platform's polls; returns how many entries did.

    Args:
        names: whether a key or an id names it.
    """
    state = PollState(path)
    try:
        return state.erase(names)
    finally:
        state.close()
