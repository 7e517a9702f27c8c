"""The bench's judge: it finds what is lost, doubled, wrong or left over, and nothing in a lake that is right."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kolray.benchmarks.lake_chaos.oracle import Found, compare
from kolray.benchmarks.lake_chaos.run import run
from kolray.errors import SettingsError
from kolray.events import SCHEMAS, TIME, Kind
from kolray.lake.gold_files import features_at, refresh, store_features
from kolray.lake.gold_plan import plan_changed
from kolray.lake.parts import write_parts
from kolray.lake.tables import TABLES, LakeTables
from kolray.settings import load_settings
from tests.unit.lake.rows import START, add, at_once, bronze, silver

SOCIAL = [
    {"event_id": "a", "likes": 1, "views": 4},
    {"event_id": "b", "kol_id": "k2", "likes": 2, "s": 90_000},
    {"event_id": "c", "likes": 3, "s": 7200},
]
WEB = [{"event_id": "w", "event_type": "click"}, {"event_id": "x", "event_type": "conversion", "value": 2.0}]
NOTHING = Found(0, 0, 0, 0)


def letters(*offsets: int) -> pl.DataFrame:
    rows = [{"topic": "t", "partition": 0, "offset": offset, "reason": "r", "dt": START.date()} for offset in offsets]
    return pl.DataFrame(rows, schema=pl.Schema(TABLES["bronze.dead_letters"]))


@pytest.fixture
def tables(tmp_path: Path) -> LakeTables:
    """Everything once, bronze with a copy of one event."""
    tables = LakeTables(str(tmp_path / "lake"))
    add(tables, "bronze.social", bronze("social", *SOCIAL, {**SOCIAL[0], "offset": 3}))
    add(tables, "bronze.web", bronze("web", *WEB))
    add(tables, "bronze.dead_letters", letters(0, 1))
    for kind, rows in (("social", SOCIAL), ("web", WEB)):
        frame = silver(kind, *rows)  # type: ignore[arg-type]
        add(tables, f"silver.{kind}", frame.with_columns(dt=pl.col("event_time").dt.date()))
    refresh(tables, plan_changed(tables), at_once)
    store_features(tables, features_at(tables, START), START)
    return tables


def test_a_home_that_has_a_lake_is_refused(tables: LakeTables, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is a lake at"):
        run(load_settings(home=tmp_path), kills=1, seed=1)


SENT: dict[Kind, pl.DataFrame] = {
    "social": bronze("social", *SOCIAL, SOCIAL[0]).select(*SCHEMAS["social"]).cast({"event_time": TIME}),
    "web": bronze("web", *WEB).select(*SCHEMAS["web"]),
}


def test_a_lake_that_is_right(tables: LakeTables) -> None:
    assert compare(tables, SENT, dead_letters=2) == NOTHING


def test_what_is_lost(tables: LakeTables) -> None:
    more = bronze("social", {"event_id": "d", "kol_id": "k3"}).select(*SCHEMAS["social"])
    sent: dict[Kind, pl.DataFrame] = {**SENT, "social": pl.concat([SENT["social"], more])}
    found = compare(tables, sent, dead_letters=3)
    assert found.lost == 1 + 2 + 3  # a letter; the event in two layers; its hour, day and week
    assert found.wrong == 1  # its platform's day
    assert (found.doubled, found.orphans_left) == (0, 0)


def test_what_is_doubled(tables: LakeTables) -> None:
    add(tables, "silver.web", silver("web", WEB[0]))
    add(tables, "bronze.dead_letters", letters(1))
    found = compare(tables, SENT, dead_letters=2)
    assert found == Found(0, 2, 0, 0)


def test_what_is_wrong_or_left_over(tables: LakeTables) -> None:
    changed = {**SENT, "social": SENT["social"].with_columns(likes=pl.col("likes") * 2)}
    assert compare(tables, changed, dead_letters=2) == Found(
        0, 0, 3 + 2 + 2 + 2, 0
    )  # hours, days, weeks, days of the platform
    write_parts("silver.web", tables.path("silver.web"), silver("web", WEB[0]))
    assert compare(tables, SENT, dead_letters=2) == Found(0, 0, 0, 1)
