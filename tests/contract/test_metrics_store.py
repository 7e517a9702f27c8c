"""One suite for every metrics store."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolray.settings import Settings
from kolray.stores.metrics import Version
from kolray.stores.open import open_metrics_store
from kolray.stores.sqlite import SqliteStore
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


@pytest.mark.local
def test_cassandra_keeps_the_contract(local_servers: Settings) -> None:
    store = open_metrics_store(local_servers)
    check_metrics_store(store, suffix="-contract")
    store.close()
