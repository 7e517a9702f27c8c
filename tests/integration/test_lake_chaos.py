"""Kills and overlapping runs at random points of every layer of the lake: 0 lost, 0 doubled, no orphan left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kolray.benchmarks.lake_chaos.oracle import compare
from kolray.benchmarks.lake_chaos.run import Sender, run
from kolray.clock import SystemClock
from kolray.lake.tables import LakeTables
from kolray.settings import Settings

pytestmark = pytest.mark.embedded


@pytest.mark.heavy
def test_twenty_kills_lose_and_double_nothing(embedded: Settings) -> None:
    report = run(embedded, kills=20, seed=1, n_kols=60, hours=24)
    assert report.right, report
    assert {"bronze", "silver", "gold", "maintenance"} <= set(report.by_layer)
    assert set(report.by_kind) == {"driver", "worker"}
    assert report.events > 1_000


@pytest.mark.heavy
def test_two_drivers_of_all_layers_at_once_do_the_work_of_one(embedded: Settings) -> None:
    sender = Sender(embedded, seed=2, n_kols=60, hours=12)
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment |= {"KOLRAY_HOME": str(embedded.home), "KOLRAY_LAKE__FILE_MB": "1"}

    def driver(rounds: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "kolray.benchmarks.lake_chaos.rounds", str(rounds)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    sender.send_to(0.2)
    drivers = [driver(12) for _ in range(2)]
    for part in range(3, 11):
        SystemClock().sleep(2)  # so that rounds have something new to find, both of them
        sender.send_to(part / 10)
        while_they_work = [one.poll() for one in drivers]
        assert not any(while_they_work), while_they_work
    assert [one.wait() for one in drivers] == [0, 0]
    assert driver(1).wait() == 0
    found = compare(LakeTables(embedded.lake_root), sender.sent(), sender.letters)
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0)
