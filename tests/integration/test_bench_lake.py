"""The lake's bench, small: what it measures is right."""

from __future__ import annotations

from kolray.benchmarks.lake.medallion import medallion


def test_silver_quarantine_and_gold_are_one_grouping_of_the_raw_rows() -> None:
    found = medallion(n_events=12_000)
    assert found.differences == 0
    assert found.medallion_rows == 12_600
    assert found.medallion_cpu_s > 0
    assert found.peak_rss_mb > 0
