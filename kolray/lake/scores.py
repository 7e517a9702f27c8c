"""Scores in the lake: ``gold.scores`` gains what the metrics store gained, each score once."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from kolray.clock import EPOCH
from kolray.events import TIME
from kolray.lake.commit import commit_parts
from kolray.lake.overlap import next_turn, until_undisturbed
from kolray.lake.parts import write_parts
from kolray.lake.tables import TABLES, LakeTables
from kolray.lake.turns import lake_job
from kolray.stores.metrics import SCORE_SCHEMA, MetricsStore

NAME = "gold.scores"
KEY = ["kol_id", "model", "as_of"]
TURN = f"{NAME}/copied"
"""Counts the copies: of two runs that found the same scores new, one commits them."""
OVERLAP = timedelta(minutes=10)
"""Read again from so long before the newest score held: writers' clocks differ, and a write may take its time."""


def copy_scores(tables: LakeTables, store: MetricsStore) -> int:
    """Appends the scores of the metrics store that the lake lacks; returns how many. May be repeated, also at once."""
    added: list[int] = []

    def undisturbed() -> bool:
        turn = next_turn(tables.transaction(NAME, TURN))
        new = _new_scores(tables, store)
        if not new.height:
            return True
        parts = write_parts(NAME, tables.path(NAME), new)
        if not commit_parts(NAME, tables.path(NAME), pl.Schema(TABLES[NAME]), parts, {TURN: turn}):
            return False
        added.append(new.height)
        return True

    with lake_job(tables.root):
        until_undisturbed(NAME, undisturbed)
    return sum(added)


def _new_scores(tables: LakeTables, store: MetricsStore) -> pl.DataFrame:
    held = tables.scan(NAME)
    newest = held.select(pl.col("scored_at").max()).collect().item()
    since = EPOCH if newest is None else newest - OVERLAP
    rows = pl.concat([pl.DataFrame(schema=SCORE_SCHEMA), *store.scan_scores(since)])
    with_day = pl.col("as_of").dt.date().alias("dt")
    if not rows.height:
        return rows.with_columns(with_day)
    known = held.filter(pl.col("as_of") >= rows["as_of"].min()).select("kol_id", "model", pl.col("as_of").cast(TIME))
    return rows.join(known.collect(), on=KEY, how="anti").with_columns(with_day).sort(KEY)
