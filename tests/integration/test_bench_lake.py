"""The lake's bench, small: what it measures is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolray.benchmarks.lake.many import many
from kolray.benchmarks.lake.medallion import medallion
from kolray.benchmarks.lake.raw import make_raw


def test_silver_quarantine_and_gold_are_one_grouping_of_the_raw_rows(tmp_path: Path) -> None:
    found = medallion(make_raw(tmp_path, n_events=12_000))
    assert found.differences == 0
    assert found.medallion_rows == 12_600
    assert found.medallion_cpu_s > 0
    assert found.peak_rss_mb > 0


@pytest.mark.heavy
def test_every_query_is_asked_of_a_lake_that_has_all_it_reads() -> None:
    found = many(n_rows=40_000)
    assert abs(found.rows_10m - 40_000) < 10
    assert 0 < found.sql_p50_ms <= found.sql_p95_ms
    assert found.rows_10m_peak_rss_mb > 0
