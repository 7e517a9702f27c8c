"""``kolray bench ingest`` in small: everything sent is in Kafka once, also over a broker that was killed meanwhile."""

from __future__ import annotations

import shutil

import pytest

from kolray.benchmarks.ingest.run import Plan, run

pytestmark = pytest.mark.heavy


@pytest.mark.skipif(shutil.which("mvn") is None, reason="real Kafka comes by Maven")
def test_nothing_that_is_sent_is_lost_or_doubled() -> None:
    """Pixels are answered by Ray Serve, which is stopped before they are looked for."""
    figures = run(Plan(events=60_000, rows=20_000, rate=50, away_s=5, server="ray"), lambda _: None)
    assert figures["problems"] == 0
    assert {
        "produce_events_per_s",
        "produce_events_per_cpu_s",
        "file_rows_per_s",
        "pixel_rps",
        "pixel_p99_ms",
        "avro_encode_per_s",
    } <= set(figures)
