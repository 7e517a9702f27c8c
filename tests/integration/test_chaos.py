"""Thirty kills and hangs of a running stream on real Kafka, Cassandra and Redis: nothing lost, doubled or stale."""

from __future__ import annotations

import pytest

from kolray.benchmarks.chaos.plan import SHARES
from kolray.benchmarks.chaos.run import run
from kolray.errors import SettingsError
from kolray.settings import Settings


@pytest.mark.local
@pytest.mark.usefixtures("cluster")
def test_thirty_kills_lose_and_double_nothing(own_local: Settings) -> None:
    report = run(own_local, kills=30, seed=1, n_kols=200, hours=24)
    assert report.right, report
    assert set(report.by_kind) == set(SHARES)
    assert report.windows > 10_000
    assert report.alerts > 0
    with pytest.raises(SettingsError, match="has streamed before"):
        run(own_local, kills=1, seed=1)


@pytest.mark.embedded
def test_chaos_refuses_servers_that_are_not_its_own(embedded: Settings) -> None:
    with pytest.raises(SettingsError, match="chaos kills servers"):
        run(embedded, kills=1, seed=1)
