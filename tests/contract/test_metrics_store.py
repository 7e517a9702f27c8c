"""One suite for every metrics store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from kolray.clock import to_ms
from kolray.errors import ServiceUnavailableError
from kolray.settings import Settings
from kolray.stores.cassandra import CassandraStore
from kolray.stores.cassandra_schema import MIGRATIONS as CASSANDRA_MIGRATIONS
from kolray.stores.metrics import Version
from kolray.stores.open import open_metrics_store
from kolray.stores.sqlite import MIGRATIONS, SqliteStore
from kolray.testing.checks import FIVE, T0, check_metrics_store, window_rows
from kolray.testing.stores import MemoryStore
from tests.integration.conftest import local_servers

__all__ = ["local_servers"]


def test_sqlite_keeps_the_contract(tmp_path: Path) -> None:
    check_metrics_store(SqliteStore(tmp_path / "metrics.db"))


def test_the_memory_store_keeps_the_contract() -> None:
    check_metrics_store(MemoryStore())


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_an_older_epoch_never_wins(kind: str, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "metrics.db") if kind == "sqlite" else MemoryStore()
    store.migrate()
    store.upsert_windows(window_rows("k", 1, likes=1), Version(2, 10))
    store.upsert_windows(window_rows("k", 1, likes=9), Version(1, 99))
    assert store.windows("k", "5m", T0, T0 + FIVE)["likes"].to_list() == [1]


def test_a_sqlite_file_of_an_older_version_gains_unique_visitors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.db"
    with monkeypatch.context() as older:
        older.setattr("kolray.stores.sqlite.MIGRATIONS", MIGRATIONS[:1])
        SqliteStore(path).migrate()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO windows (kol_id, window, window_start, final) VALUES ('k', '5m', ?, 1)", (to_ms(T0),))
    store = SqliteStore(path)
    with pytest.raises(ServiceUnavailableError, match="kolray init"):
        store.upsert_windows(window_rows("k", 1), Version(1, 1))
    assert store.migrate()[0] == "0002-unique-visitors"
    assert store.windows("k", "5m", T0, T0 + FIVE)["unique_visitors"].to_list() == [None]
    store.close()


@pytest.mark.local
def test_cassandra_tables_of_an_older_version_gain_unique_visitors(
    local_servers: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CassandraStore(f"{local_servers.metrics_url}_older")
    with monkeypatch.context() as older:
        older.setattr("kolray.stores.cassandra.MIGRATIONS", CASSANDRA_MIGRATIONS[:1])
        assert store.migrate() == ["0001-window-rows-scores-alerts"]
    assert store.migrate()[0] == "0002-unique-visitors"
    rows = window_rows("k", 2)
    store.upsert_windows(rows, Version(1, 1))
    assert_frame_equal(store.windows("k", "5m", T0, T0 + 2 * FIVE), rows)
    store.close()


@pytest.mark.local
def test_cassandra_keeps_the_contract(local_servers: Settings) -> None:
    store = open_metrics_store(local_servers)
    check_metrics_store(store, suffix="-contract")
    store.close()
