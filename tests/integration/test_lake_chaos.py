"""Kill -9 of drivers and workers at random points of every layer of the lake: 0 lost, 0 doubled, no orphan left."""

from __future__ import annotations

import pytest

from kolray.benchmarks.lake_chaos.run import run
from kolray.settings import Settings

pytestmark = pytest.mark.embedded


@pytest.mark.heavy
def test_twenty_kills_lose_and_double_nothing(embedded: Settings) -> None:
    report = run(embedded, kills=20, seed=1, n_kols=60, hours=24)
    assert report.right, report
    assert {"bronze", "silver", "gold", "maintenance"} <= set(report.by_layer)
    assert set(report.by_kind) == {"driver", "worker"}
    assert report.events > 1_000
