"""Verify after verify: what is new is compared, what was compared is not read again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from kolray.clock import to_ms
from kolray.lake.increment import Mark, first_new
from kolray.lake.tables import TABLES
from kolray.lake.verify import verify
from tests.unit.lake.rows import START, add, bronze
from tests.unit.lake.test_verify import SOCIAL, WEB, WINDOWS, Bench, at, stream_rows

NEW = [{"event_id": f"n{i}", "kol_id": "k1", "s": 3600 + i * 60, "offset": 100 + i, "likes": i} for i in range(20)]


def test_only_what_rows_since_touch_is_compared(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(bench.rows)
    mark = Mark.of(bench.tables, WINDOWS)
    assert first_new(bench.tables, mark) is None
    add(bench.tables, "bronze.social", bronze("social", *NEW))
    since = first_new(bench.tables, mark)
    assert since == START + timedelta(minutes=50)  # of 15 minutes sliding by 5, the first that holds 11:00
    rows = stream_rows(bronze("social", *SOCIAL, *NEW), bronze("web", *WEB))
    bench.write(rows.with_columns(likes=pl.when(at(rows, 10)).then(-1).otherwise("likes")))
    held = verify(bench.tables, bench.store, WINDOWS, since=since)
    assert held.differences.is_empty()
    assert held.windows == rows.filter(pl.col("window_start") >= since).height < rows.height
    wrong = at(rows, 65) | at(rows, 10)
    bench.write(rows.with_columns(likes=pl.when(wrong).then(-1).otherwise("likes")))
    found = verify(bench.tables, bench.store, WINDOWS, since=since).differences
    assert found.select("window_start", "column").rows() == [(START + timedelta(minutes=65), "likes")]
    assert verify(bench.tables, bench.store, WINDOWS).differences.height == 2
    bench.store.close()


def test_a_window_that_was_open_is_compared_next_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    size = pl.col("window").replace_strict({"5m": 5, "15m/5m": 15}, return_dtype=pl.Int64)
    bench.write(bench.rows.filter(pl.col("window_start") + pl.duration(minutes=size) <= START + timedelta(minutes=40)))
    verdict = verify(bench.tables, bench.store, WINDOWS)
    assert verdict.differences.is_empty()
    assert verdict.open_since is not None
    mark = Mark(list(WINDOWS), Mark.of(bench.tables, WINDOWS).versions, to_ms(verdict.open_since))
    assert first_new(bench.tables, mark) == verdict.open_since == START + timedelta(minutes=30)
    bench.store.close()


def test_a_late_event_that_bronze_learns_of_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    mark = Mark.of(bench.tables, WINDOWS)
    late = bronze("social", *SOCIAL).filter(pl.col("offset") == 31)
    place = late.with_columns(watermark="event_time", late_partition=pl.lit(0), late_offset=pl.lit(0))
    add(bench.tables, "bronze.late_events", place.select(*TABLES["bronze.late_events"]))
    assert first_new(bench.tables, mark) == START + timedelta(minutes=20)
    bench.store.close()


def test_a_mark_of_other_windows_or_a_torn_one_is_none(tmp_path: Path) -> None:
    file = tmp_path / "verified.json"
    assert Mark.read(file, WINDOWS) is None
    mark = Mark(list(WINDOWS), {"bronze.social": 3}, 5)
    mark.write(file)
    assert Mark.read(file, WINDOWS) == mark
    assert Mark.read(file, ("1h",)) is None
    file.write_text(file.read_text()[:9])
    assert Mark.read(file, WINDOWS) is None
