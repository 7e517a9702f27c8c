"""How rows are put together for Cassandra, without one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import polars as pl
from cassandra.cqltypes import LongType, UTF8Type
from cassandra.protocol import ColumnMetadata
from cassandra.query import PreparedStatement

from kolray.stores.cassandra import BATCH_ROWS, CassandraStore


def _store(nodes: int) -> CassandraStore:
    """Of a cluster whose partitions lie on the node that their key's number names."""
    store = CassandraStore("cassandra://nowhere/ks")
    replicas = {b"k%d" % n: [n % nodes] for n in range(100)}
    store._cluster = SimpleNamespace(
        metadata=SimpleNamespace(all_hosts=lambda: range(nodes), get_replicas=lambda _, key: replicas[key])
    )
    return store


def _insert() -> Any:
    columns = [ColumnMetadata("ks", "t", "key", UTF8Type), ColumnMetadata("ks", "t", "value", LongType)]
    return PreparedStatement(columns, b"id", [0], "INSERT", "ks", 4, [], b"")


def _batched(nodes: int, rows: list[tuple[str, int]]) -> list[list[int]]:
    """The values in each batch."""
    batches = _store(nodes)._batches(_insert(), pl.DataFrame(rows, ["key", "value"], orient="row"))
    return [[int.from_bytes(values[1]) for _, _, values in batch._statements_and_parameters] for batch in batches]


def test_rows_of_a_batch_have_the_same_replicas() -> None:
    rows = [(f"k{n}", n) for n in range(12)]
    assert _batched(3, rows) == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


def test_a_single_node_takes_any_rows_together_up_to_a_bound() -> None:
    rows = [(f"k{n}", n) for n in range(BATCH_ROWS + 2)]
    assert _batched(1, rows) == [list(range(BATCH_ROWS)), [BATCH_ROWS, BATCH_ROWS + 1]]
