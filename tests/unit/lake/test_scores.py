"""Scores come into the lake once, whatever is copied again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from kolray.lake.scores import NAME, OVERLAP, copy_scores
from kolray.lake.tables import LakeTables
from kolray.stores.metrics import SCORE_SCHEMA
from kolray.testing.clock import START
from kolray.testing.stores import MemoryStore


def put(store: MemoryStore, kol_id: str, after: timedelta, model: str = "trust:1") -> None:
    row = (kol_id, model, START, 70.0, 60.0, 80.0, 0.3, START + after, 0.1, '{"followers":1.0}')
    store.upsert_scores(pl.DataFrame([row], schema=SCORE_SCHEMA, orient="row"))


def test_each_score_is_copied_once(tmp_path: Path) -> None:
    tables, store = LakeTables(str(tmp_path)), MemoryStore()
    assert copy_scores(tables, store) == 0
    put(store, "a", timedelta(0))
    put(store, "b", timedelta(0))
    assert copy_scores(tables, store) == 2
    assert copy_scores(tables, store) == 0
    put(store, "a", timedelta(hours=1), "trust:2")
    assert copy_scores(tables, store) == 1
    put(store, "c", timedelta(hours=1) - OVERLAP / 2)  # by a writer whose clock is behind
    put(store, "a", timedelta(hours=2), "trust:2")  # made again: the score that is there already
    assert copy_scores(tables, store) == 1
    rows = tables.scan(NAME).sort("kol_id", "model").collect()
    assert rows.select("kol_id", "model").rows() == [
        ("a", "trust:1"),
        ("a", "trust:2"),
        ("b", "trust:1"),
        ("c", "trust:1"),
    ]
    assert rows["features"].to_list() == ['{"followers":1.0}'] * 4
