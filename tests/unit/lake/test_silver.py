"""Silver: every event once whatever bronze repeats, comments with their sentiment, the broken in quarantine."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from kolray.events import TIME, Columns, Kind
from kolray.lake.commit import commit_parts
from kolray.lake.parts import write_parts
from kolray.lake.silver_plan import SilverTask, plan_silver
from kolray.lake.tables import TABLES, LakeTables, read_schema
from tests.unit.lake.rows import START, add, bronze, refine_all


class Moods:
    """``good`` is positive, ``bad`` negative."""

    version = "1"

    def classify(self, texts: pl.Series) -> pl.Series:
        return texts.replace_strict({"good": 1, "bad": -1}, default=0, return_dtype=pl.Int8)


@pytest.fixture
def tables(tmp_path: Path) -> LakeTables:
    return LakeTables(str(tmp_path / "lake"))


def arrive(tables: LakeTables, *rows: dict[str, Any], kind: Kind = "social") -> None:
    """One more commit in bronze."""
    add(tables, f"bronze.{kind}", bronze(kind, *rows))


def run(tables: LakeTables, kind: Kind = "social", commit: bool = True) -> dict[str, int]:
    """One run of silver: rows added to each table."""
    task, added = plan_silver(tables, kind), {}
    if task is not None:
        refined = refine_all(task, tables, Moods())
        for name, rows in (("silver.quarantine", refined.broken), (f"silver.{kind}", refined.valid)):
            added |= {name: rows.height} if rows.height else {}
            if commit:
                add(tables, name, rows, {tables.source(name, f"bronze.{kind}"): task.bronze_version})
    return added


def planned(tables: LakeTables) -> SilverTask:
    """The task there is."""
    task = plan_silver(tables, "social")
    assert task is not None
    return task


def silver(tables: LakeTables, kind: Kind = "social") -> pl.DataFrame:
    """What silver holds, by event id."""
    return tables.scan(f"silver.{kind}").sort("event_id").collect()


def test_nothing_to_do_without_bronze(tables: LakeTables) -> None:
    assert plan_silver(tables, "social") is None


def test_a_copy_in_the_same_run_is_dropped_and_the_first_counts(tables: LakeTables) -> None:
    late = {"event_id": "a", "kafka_time": START + timedelta(minutes=5), "likes": 2, "offset": 9}
    arrive(tables, late, {"event_id": "a", "kafka_time": START, "likes": 1, "offset": 3}, {"event_id": "b"})
    assert run(tables) == {"silver.social": 2}
    rows = silver(tables)
    assert rows["event_id"].to_list() == ["a", "b"]
    assert (rows["likes"][0], rows["offset"][0]) == (1, 3)
    assert rows["available_at"][0] == START
    assert rows.schema == read_schema("silver.social")


def test_a_copy_in_a_later_run_is_dropped(tables: LakeTables) -> None:
    arrive(tables, {"event_id": "a", "likes": 1})
    run(tables)
    arrive(tables, {"event_id": "a", "likes": 2}, {"event_id": "b"})
    assert run(tables) == {"silver.social": 1}
    assert dict(silver(tables).select("event_id", "likes").iter_rows()) == {"a": 1, "b": None}
    arrive(tables, {"event_id": "a"})
    assert run(tables) == {}


def test_only_new_files_are_read_and_a_second_run_has_nothing_to_do(tables: LakeTables) -> None:
    arrive(tables, {"event_id": "a"})
    run(tables)
    assert plan_silver(tables, "social") is None
    arrive(tables, {"event_id": "b"})
    assert len(planned(tables).files) == planned(tables).bronze_version == 1


def test_a_run_that_broke_off_is_repeated(tables: LakeTables) -> None:
    arrive(tables, {"event_id": "a"}, {"event_id": "b"})
    run(tables, commit=False)
    assert run(tables) == {"silver.social": 2}
    assert run(tables) == {}
    assert silver(tables).height == 2


def test_the_day_is_that_of_the_event(tables: LakeTables) -> None:
    arrive(tables, {"event_id": "a", "event_time": START - timedelta(days=3), "dt": START.date()})
    run(tables)
    assert silver(tables)["dt"].to_list() == [(START - timedelta(days=3)).date()]


def test_comments_have_a_sentiment_and_nothing_else_has(tables: LakeTables) -> None:
    comment = {"event_type": "comment"}
    arrive(
        tables,
        {"text": "good"},
        comment | {"text": "good"},
        comment | {"text": "bad"},
        comment | {"text": "well"},
        comment,
    )
    run(tables)
    assert silver(tables)["sentiment"].to_list() == [None, 1, -1, 0, None]


def test_without_a_classifier_the_sentiment_is_unknown(tables: LakeTables) -> None:
    arrive(tables, {"event_type": "comment", "text": "good"})
    task = planned(tables)
    rows = refine_all(task, tables).valid
    assert rows.schema["sentiment"] == pl.Int8
    assert rows["sentiment"].to_list() == [None]


def test_comments_have_a_spam_signal_and_nothing_else_has(tables: LakeTables) -> None:
    comment = {"event_type": "comment"}
    arrive(
        tables,
        {"text": "follow me back"},
        comment | {"text": "follow me back"},
        comment | {"text": "đẹp thật"},
        comment,
    )
    run(tables)
    assert silver(tables)["spam"].round(2).to_list() == pytest.approx([None, 0.9, 0.0, None])


def test_a_broken_copy_does_not_cost_the_valid_one(tables: LakeTables) -> None:
    arrive(tables, {"event_id": "a", "likes": -1}, {"event_id": "a", "likes": 1}, {"event_id": ""}, {"event_id": ""})
    assert run(tables) == {"silver.social": 1, "silver.quarantine": 3}
    assert silver(tables)["likes"].to_list() == [1]


def test_a_run_that_broke_off_before_silver_is_finished_at_its_own_version(tables: LakeTables) -> None:
    arrive(tables, {"event_id": "a"}, {"event_id": "b", "likes": -1})
    task = planned(tables)
    add(
        tables,
        "silver.quarantine",
        refine_all(task, tables).broken,
        {tables.source("silver.quarantine", "bronze.social"): 0},
    )
    arrive(tables, {"event_id": "c", "offset": 7}, {"event_id": "d", "likes": -1, "offset": 8})
    assert planned(tables) == task
    run(tables)
    assert run(tables) == {"silver.social": 1, "silver.quarantine": 1}
    assert silver(tables)["event_id"].to_list() == ["a", "c"]
    assert tables.scan("silver.quarantine").collect()["event_id"].sort().to_list() == ["b", "d"]


def test_a_run_without_a_valid_row_is_done(tables: LakeTables) -> None:
    arrive(tables, {"likes": -1})
    run(tables)
    assert plan_silver(tables, "social") is None


def test_a_broken_time_of_the_event_does_not_break_quarantine(tables: LakeTables) -> None:
    arrive(tables, {"event_time": None}, {"event_time": START.replace(year=1970)})
    run(tables)
    held = tables.scan("silver.quarantine").collect()
    assert held["dt"].unique().to_list() == [START.date()]
    assert held["kafka_time"].null_count() == 0


def test_tables_of_an_older_version_go_on_with_nulls(tables: LakeTables) -> None:
    old = {name: dtype for name, dtype in TABLES["silver.social"].items() if name != "spam"}
    arrive(tables, {"event_id": "a", "event_type": "comment", "text": "vay tiền nhanh"})
    task = planned(tables)
    write_deltalake(
        tables.path("silver.social").url, refine_all(task, tables).valid.select(*old).to_arrow(), partition_by=["dt"]
    )
    assert silver(tables)["spam"].to_list() == [None]
    arrive(tables, {"event_id": "b", "event_type": "comment", "text": "vay tiền nhanh"})
    run(tables)
    assert silver(tables)["spam"].is_null().to_list() == [True, False]


def test_columns_that_bronze_gained_reach_silver(tables: LakeTables) -> None:
    arrive(tables, {"event_id": "a"})
    run(tables)
    extra: Columns = {"saves": pl.Int64, "seen_at": TIME}
    rows = bronze("social", {"event_id": "b"}).with_columns(saves=pl.lit(5), seen_at=pl.lit(START))
    parts = write_parts("bronze.social", tables.path("bronze.social"), rows, extra)
    commit_parts("bronze.social", tables.path("bronze.social"), pl.Schema(TABLES["bronze.social"] | extra), parts, {})
    assert tables.added_columns("bronze.social") == extra
    task = planned(tables)
    assert refine_all(task, tables).valid.select("event_id", "saves", "seen_at").rows() == [("b", 5, START)]


def test_rows_that_break_a_rule_are_in_quarantine(tables: LakeTables) -> None:
    arrive(tables, {"event_id": "a"}, {"event_id": "b", "platform": ""}, {"event_id": "c", "likes": -1})
    assert run(tables) == {"silver.social": 1, "silver.quarantine": 2}
    held = tables.scan("silver.quarantine").sort("event_id").collect()
    assert held.select("topic", "partition", "offset", "kol_id", "kind", "rules", "bronze_version").row(0) == (
        "events.social.raw", 0, 1, "k1", "social", "missing.platform", 0,
    )  # fmt: skip
    reasons = ["missing: platform", "negative: likes"]
    assert held.select("event_id", "reason").rows() == list(zip(["b", "c"], reasons, strict=True))
    assert held.schema == read_schema("silver.quarantine")


def test_web_events(tables: LakeTables) -> None:
    arrive(tables, {"value": 1.5}, {"value": -1.0}, kind="web")
    assert run(tables, "web") == {"silver.web": 1, "silver.quarantine": 1}
    assert silver(tables, "web").schema == read_schema("silver.web")
    assert plan_silver(tables, "social") is None
