"""Gold is made again where silver changed and nowhere else, whatever breaks off; any range of days on demand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from kolray.errors import InvalidInputError
from kolray.events import TIME, Kind
from kolray.features import compute_features
from kolray.lake.changes import changed_days
from kolray.lake.gold_files import (
    FEATURES,
    Write,
    Written,
    ends_of_days,
    features_at,
    features_of_times,
    refresh,
    store_features,
)
from kolray.lake.gold_plan import DAILY, WEEKLY, by_day, plan_changed, plan_range
from kolray.lake.tables import TABLES, LakeTables, Root
from tests.silver import START, silver_world
from tests.unit.lake.rows import add, at_once

MONDAY = START.date()
FIRST = 5  # days are counted from the Monday: this is a Saturday
WORLD: dict[Kind, pl.DataFrame] = dict(zip(("social", "web"), silver_world(6, 100, hours=10 * 24), strict=True))


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def arrive(tables: LakeTables, *days: int, part: int = 0, kinds: tuple[Kind, ...] = ("social", "web")) -> None:
    """One commit to silver of a third of the events of some days (up to 9)."""
    for kind in kinds:
        rows = WORLD[kind].with_columns(
            *(pl.lit(None).alias(c) for c in ("topic", "partition", "offset")), dt=pl.col("event_time").dt.date()
        )
        mine = pl.col("dt").is_in([day(n) for n in days])
        add(tables, f"silver.{kind}", rows.filter(mine, pl.col("event_id").hash(1) % 3 == part))


def run(tables: LakeTables) -> dict[str, int]:
    """One run of gold: days written of each table."""
    plan = plan_changed(tables)
    refresh(tables, plan, at_once)
    return {name: len(planned.days) for name, planned in plan.items()}


def gold(tables: LakeTables) -> dict[str, pl.DataFrame]:
    """Every row of every table, in order of all its columns."""
    return {name: tables.scan(name).select(*TABLES[name]).collect().sort(pl.all()) for name in [*DAILY, WEEKLY]}


def assert_as_from_scratch(tables: LakeTables, folder: Path) -> None:
    """Gold is what a new lake makes of the same silver in one go."""
    fresh = LakeTables(str(folder / "fresh"))
    for kind in ("social", "web"):
        rows = tables.scan(f"silver.{kind}").select(*TABLES[f"silver.{kind}"]).collect()
        add(fresh, f"silver.{kind}", rows.cast(pl.Schema(TABLES[f"silver.{kind}"])))
    run(fresh)
    for name, rows in gold(fresh).items():
        assert_frame_equal(gold(tables)[name], rows, check_exact=True)
        assert rows.height > 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silver of five days in two weeks, and gold up to date."""
    tables = LakeTables(str(tmp_path_factory.mktemp("made")))
    arrive(tables, *range(FIRST, 10))
    assert run(tables) == {**dict.fromkeys(DAILY, 5), WEEKLY: 2}
    return Path(tables.root)


@pytest.fixture
def tables(made: Path, tmp_path: Path) -> LakeTables:
    """Its copy for one test."""
    return LakeTables(shutil.copytree(made, str(tmp_path / "lake")))


def test_nothing_to_do_without_silver_or_news(tables: LakeTables, tmp_path: Path) -> None:
    assert plan_changed(LakeTables(str(tmp_path / "none"))) == {}
    assert run(tables) == {}


def test_the_cost_is_the_days_that_changed(tables: LakeTables, tmp_path: Path) -> None:
    for part, days in ((1, (6,)), (2, (6, 7, 8))):
        before = {name: DeltaTable(tables.path(name)).version() for name in DAILY}
        arrive(tables, *days, part=part)
        plan = plan_changed(tables)
        assert list(by_day(plan)) == [day(n) for n in days]
        assert run(tables) == {**dict.fromkeys(DAILY, len(days)), WEEKLY: len({n // 7 for n in days})}
        for name, version in before.items():
            assert changed_days(tables.table(name), version) == set(by_day(plan)), name
    assert run(tables) == {}
    assert_as_from_scratch(tables, tmp_path)


def test_a_kind_alone_changes_the_tables_that_it_is_in(tables: LakeTables) -> None:
    arrive(tables, 6, part=1, kinds=("social",))
    assert run(tables) == {**dict.fromkeys([name for name, kinds in DAILY.items() if "social" in kinds], 1), WEEKLY: 1}


def test_compaction_of_silver_is_no_work_and_is_not_read_again(tables: LakeTables) -> None:
    arrive(tables, 6, part=1)
    run(tables)
    kept = gold(tables)
    tables.table("silver.social").optimize.compact()
    assert set(run(tables).values()) == {0}
    assert plan_changed(tables) == {}
    for name, rows in gold(tables).items():
        assert_frame_equal(rows, kept[name])


@pytest.mark.parametrize("n_done", [1, 5])
def test_a_run_killed_between_two_tables_ends_right_at_the_next(
    tables: LakeTables, tmp_path: Path, n_done: int
) -> None:
    arrive(tables, 5, 9, part=1)
    plan = plan_changed(tables)
    refresh(tables, {name: plan[name] for name in list(DAILY)[:n_done]}, at_once)
    assert set(plan_changed(tables)) == {*list(DAILY)[n_done:], WEEKLY}
    assert sorted(run(tables).values()) == [2] * (len(DAILY) + 1 - n_done)
    assert_as_from_scratch(tables, tmp_path)


def test_a_run_killed_before_it_commits_changes_nothing(tables: LakeTables, tmp_path: Path) -> None:
    kept = gold(tables)
    arrive(tables, 6, part=1)

    def dies(write: Write, root: Root, work: list[Any]) -> list[Written]:
        at_once(write, root, work)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refresh(tables, plan_changed(tables), dies)
    assert_frame_equal(gold(tables)["gold.kpi_daily"], kept["gold.kpi_daily"])
    run(tables)
    assert_as_from_scratch(tables, tmp_path)


def test_rows_taken_from_silver_leave_gold(tables: LakeTables, tmp_path: Path) -> None:
    for kind in ("social", "web"):
        tables.table(f"silver.{kind}").delete("kol_id = 'kol-0001'")
    run(tables)
    assert "kol-0001" not in gold(tables)["gold.kpi_daily"]["kol_id"].to_list()
    assert_as_from_scratch(tables, tmp_path)


def test_gold_outlives_the_days_that_retention_drops_from_silver(tables: LakeTables) -> None:
    kept = gold(tables)
    for kind in ("social", "web"):
        tables.table(f"silver.{kind}").delete(f"dt = '{day(FIRST)}'")
    run(tables)
    refresh(tables, plan_range(tables, day(FIRST), day(FIRST + 1)), at_once)
    for name, rows in gold(tables).items():
        assert_frame_equal(rows, kept[name])


def test_a_range_is_made_again_and_changes_nothing(tables: LakeTables) -> None:
    kept = gold(tables)
    tables.table("gold.kpi_daily").delete(f"dt = '{day(7)}'")
    plan = plan_range(tables, day(6), day(8))
    assert {name: len(planned.days) for name, planned in plan.items()} == {**dict.fromkeys(DAILY, 3), WEEKLY: 2}
    for _ in range(2):
        refresh(tables, plan, at_once)
        for name, rows in gold(tables).items():
            assert_frame_equal(rows, kept[name])
    assert plan_changed(tables) == {}


def test_a_range_leaves_what_is_new_outside_of_it_to_the_next_run(tables: LakeTables, tmp_path: Path) -> None:
    arrive(tables, 6, 8, part=1)
    refresh(tables, plan_range(tables, day(5), day(6)), at_once)
    assert run(tables) == {**dict.fromkeys(DAILY, 2), WEEKLY: 2}
    assert_as_from_scratch(tables, tmp_path)


def test_a_range_without_days_or_backwards(tables: LakeTables) -> None:
    assert plan_range(tables, date(2020, 1, 1), date(2020, 12, 31)) == {}
    with pytest.raises(InvalidInputError, match="give the earlier day as --from"):
        plan_range(tables, day(6), day(5))


def test_tables_of_an_older_version_get_the_new_columns(tables: LakeTables, tmp_path: Path) -> None:
    old = LakeTables(str(tmp_path / "old"))
    arrive(old, 5, 6)
    columns = ["kol_id", "platform", "likes", "dt"]
    held = tables.scan("gold.kpi_daily").filter(pl.col("dt") == day(5)).select(columns).collect()
    held.write_delta(old.path("gold.kpi_daily").url, delta_write_options={"partition_by": ["dt"]})
    run(old)
    assert_as_from_scratch(old, tmp_path)


def features_of(tables: LakeTables, hour: int, put: Callable[[pl.DataFrame], pl.DataFrame] = lambda rows: rows) -> int:
    """Stores the features as of an hour of the second Tuesday."""
    at = START + timedelta(days=8, hours=hour)
    return store_features(tables, put(features_at(tables, at)), at)


def test_features_of_another_time_of_the_day_stay_and_those_of_the_same_are_replaced(tables: LakeTables) -> None:
    assert features_of(tables, 18) == 6
    assert features_of(tables, 8, lambda rows: rows.head(4)) == 4
    assert features_of(tables, 8) == features_of(tables, 8) == 6
    rows = tables.scan(FEATURES).collect()
    assert rows.height == rows.unique(["kol_id", "as_of"]).height == 12
    assert rows["as_of"].unique().sort().to_list() == [START + timedelta(days=8, hours=hour) for hour in (8, 18)]
    assert rows["dt"].unique().to_list() == [day(8)]


def test_features_come_from_the_days_looked_back_at(tables: LakeTables) -> None:
    at = START + timedelta(days=36, hours=5, microseconds=7)
    rows = features_at(tables, at)
    silver = [tables.scan(f"silver.{kind}") for kind in ("social", "web")]
    assert_frame_equal(rows, compute_features(*silver, at))
    assert rows.height > 0
    assert store_features(tables, rows, at) == store_features(tables, rows, at) == rows.height
    assert tables.scan(FEATURES).collect().height == rows.height
    assert store_features(tables, rows.clear(), at) == 0


def test_features_of_an_earlier_version_gain_the_columns_that_were_added_since(tmp_path: Path) -> None:
    tables, at, before = LakeTables(str(tmp_path)), datetime(2026, 1, 7, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
    arrive(tables, 0, 1)
    rows = features_at(tables, at)
    old = rows.drop("gain_burst").with_columns(as_of=pl.lit(before).cast(TIME), dt=pl.lit(before.date()))
    old.write_delta(str(tmp_path / "gold" / "features"), delta_write_options={"partition_by": ["dt"]})
    store_features(tables, rows, at)
    held = tables.scan(FEATURES).sort("as_of", "kol_id").collect()
    assert held.height == 2 * rows.height
    assert held.filter(pl.col("as_of") < at)["gain_burst"].null_count() == rows.height
    assert_frame_equal(held.filter(pl.col("as_of") == at)["gain_burst"].to_frame(), rows.select("gain_burst"))


def test_features_of_several_times_are_those_of_each(tables: LakeTables) -> None:
    times = [START + timedelta(days=n, hours=n) for n in (9, 6, 31)]
    for at, rows in zip(times, features_of_times(tables, times), strict=True):
        assert_frame_equal(rows, features_at(tables, at), check_exact=True)


def test_the_ends_of_days_that_are_past() -> None:
    now = datetime(2026, 1, 7, 12, tzinfo=UTC)
    ends = ends_of_days([day(n) for n in range(4)], now)
    assert ends == [datetime(2026, 1, 6, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC)]
