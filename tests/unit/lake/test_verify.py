"""The proof finds what it is for: values, rows and events that are not as the log has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kolray.events import TIME
from kolray.features.window_metrics import METRICS, SUMS
from kolray.lake.tables import TABLES, LakeTables
from kolray.lake.verify import DIFFERENCE, verify
from kolray.stores.metrics import WINDOW_SCHEMA, Version
from kolray.stores.sqlite import SqliteStore
from kolray.stream.visitors import with_visitors
from kolray.stream.windows import WindowSpec, merge_panes, pane_aggregate, pane_ms, windows_of
from tests.unit.lake.rows import START, add, bronze

WINDOWS = ("5m", "15m/5m")
SPECS = [WindowSpec.parse(text) for text in WINDOWS]
SOCIAL = [
    {"event_id": f"s{i}", "kol_id": f"k{i % 3}", "s": i * 60, "offset": i, "likes": i, "followers": 100 + i}
    for i in range(60)
]
WEB = [{"event_id": f"w{i}", "kol_id": f"k{i % 3}", "s": i * 200, "offset": i} for i in range(15)]


class Bench:
    """A lake and a store with the same windows, until a test changes one of them."""

    def __init__(self, folder: Path) -> None:
        self.tables = LakeTables(str(folder / "lake"))
        self.store = SqliteStore(folder / "metrics.db")
        self.store.migrate()
        social, web = bronze("social", *SOCIAL), bronze("web", *WEB)
        add(self.tables, "bronze.social", social)
        add(self.tables, "bronze.web", web)
        self.rows = stream_rows(social, web)

    def write(self, rows: pl.DataFrame) -> None:
        self.store.upsert_windows(rows, Version(1, 1))

    def found(self) -> list[tuple[Any, ...]]:
        """Column, stream's value and lake's value of each difference."""
        differences = verify(self.tables, self.store, WINDOWS).differences
        assert differences.schema == pl.Schema(DIFFERENCE)
        return differences.select("column", "stream", "lake").rows()


def stream_rows(social: pl.DataFrame, web: pl.DataFrame) -> pl.DataFrame:
    """What a stream without faults writes."""
    pane = pane_ms(SPECS)
    panes = merge_panes([pane_aggregate("social", social, pane), pane_aggregate("web", web, pane)])
    return with_visitors(pl.concat(windows_of(panes, spec) for spec in SPECS), web, SPECS)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def at(rows: pl.DataFrame, minutes: int, kol: str = "k1", window: str = "5m") -> pl.Expr:
    """The row of one window."""
    del rows
    start = pl.lit(START + timedelta(minutes=minutes)).cast(TIME)
    return (pl.col("kol_id") == kol) & (pl.col("window") == window) & (pl.col("window_start") == start)


def test_equal_data_has_no_differences(bench: Bench) -> None:
    bench.write(bench.rows)
    verdict = verify(bench.tables, bench.store, WINDOWS)
    assert verdict.differences.is_empty()
    assert verdict.windows == bench.rows.height > 60


def test_nothing_at_all_has_no_differences(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "metrics.db")
    store.migrate()
    verdict = verify(LakeTables(str(tmp_path / "lake")), store, WINDOWS)
    store.close()
    assert (verdict.windows, verdict.differences.height) == (0, 0)


@pytest.mark.parametrize("column", METRICS)
def test_an_altered_value_is_found(bench: Bench, column: str) -> None:
    row = at(bench.rows, 30)
    held = bench.rows.filter(row)[column][0]
    assert held is not None
    bench.write(bench.rows.with_columns(pl.when(row).then(held + 1).otherwise(column).alias(column)))
    assert bench.found() == [(column, held + 1, held)]


def test_a_value_that_should_be_null_is_found(bench: Bench) -> None:
    bench.write(bench.rows.with_columns(followers_last=pl.when(~at(bench.rows, 30)).then("followers_last")))
    assert [(column, stream) for column, stream, _ in bench.found()] == [("followers_last", None)]


def test_a_missing_row_is_found(bench: Bench) -> None:
    bench.write(bench.rows.filter(~at(bench.rows, 30)))
    found = bench.found()
    assert {column for column, _, _ in found} >= set(SUMS) - {"views"} - {"views"} or len(found) > 0
    assert all(stream is None for _, stream, _ in found)
    assert {column for column, _, _ in found} == set(METRICS)


def test_a_row_too_many_is_found(bench: Bench) -> None:
    extra = bench.rows.filter(at(bench.rows, 30)).with_columns(kol_id=pl.lit("nobody"))
    bench.write(pl.concat([bench.rows, extra]))
    found = bench.found()
    assert {column for column, _, _ in found} == set(METRICS)
    assert all(lake is None for _, _, lake in found)


def test_windows_not_closed_yet_are_not_compared(bench: Bench) -> None:
    until = START + timedelta(minutes=40)
    size = pl.col("window").replace_strict({"5m": 5, "15m/5m": 15}, return_dtype=pl.Int64)
    closed = bench.rows.filter(pl.col("window_start") + pl.duration(minutes=size) <= until)
    provisional = bench.rows.filter(at(bench.rows, 50)).with_columns(final=pl.lit(False), likes=pl.lit(0, pl.Int64))
    bench.write(pl.concat([closed, provisional]))
    verdict = verify(bench.tables, bench.store, WINDOWS)
    assert verdict.differences.is_empty()
    assert verdict.windows == closed.height < bench.rows.height


def test_a_late_event_is_not_to_be_counted(bench: Bench) -> None:
    social, web = bronze("social", *SOCIAL), bronze("web", *WEB)
    late = social.filter(pl.col("offset") == 31)
    schema = pl.Schema(TABLES["bronze.late_events"])
    place = late.with_columns(watermark="event_time", late_partition=pl.lit(0), late_offset=pl.lit(0)).select(*schema)
    add(bench.tables, "bronze.late_events", place.cast(schema))
    bench.write(bench.rows)  # it was counted
    found = bench.found()
    assert {column for column, _, _ in found} >= {"events", "likes"}
    assert len({row for row in found if row[0] == "likes"}) > 0
    bench.store.upsert_windows(bench.rows.filter(pl.col("kol_id") == "k1").clear(), Version(1, 2))
    right = stream_rows(social.filter(pl.col("offset") != 31), web)
    gone = bench.rows.join(right, on=["kol_id", "window", "window_start"], how="anti")
    assert gone.is_empty()
    bench.store.upsert_windows(right, Version(1, 3))
    assert bench.found() == []


def test_a_copy_is_counted_once_by_its_first_offset(bench: Bench) -> None:
    copy = bronze("social", SOCIAL[31] | {"offset": 1000, "likes": 7000})
    add(bench.tables, "bronze.social", copy)
    bench.write(bench.rows)
    assert bench.found() == []
    assert bench.rows.schema == pl.Schema(WINDOW_SCHEMA)


def test_a_copy_of_a_late_event_is_not_to_be_counted_either(bench: Bench) -> None:
    social, web = bronze("social", *SOCIAL), bronze("web", *WEB)
    schema = pl.Schema(TABLES["bronze.late_events"])
    late = social.filter(pl.col("offset") == 31)
    place = late.with_columns(watermark="event_time", late_partition=pl.lit(0), late_offset=pl.lit(0)).select(*schema)
    add(bench.tables, "bronze.late_events", place.cast(schema))
    add(bench.tables, "bronze.social", bronze("social", SOCIAL[31] | {"offset": 1000}))
    bench.write(stream_rows(social.filter(pl.col("offset") != 31), web))
    assert bench.found() == []


def test_sentiment_is_recomputed(bench: Bench) -> None:
    class Glad:
        version = "1"

        def classify(self, texts: pl.Series) -> pl.Series:
            return pl.Series([1] * texts.len(), dtype=pl.Int8)

    add(
        bench.tables,
        "bronze.social",
        bronze("social", SOCIAL[31] | {"event_id": "c", "offset": 99, "event_type": "comment", "text": "hay"}),
    )
    social = bench.tables.scan("bronze.social").collect()
    mood = pl.when(pl.col("event_type") == "comment").then(pl.lit(1, pl.Int8)).alias("sentiment")
    bench.write(stream_rows(social.with_columns(mood), bronze("web", *WEB)))
    assert verify(bench.tables, bench.store, WINDOWS, Glad()).differences.is_empty()
    assert {column for column, _, _ in bench.found()} == {"positive"}
