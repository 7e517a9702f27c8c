"""When an erasure refuses to begin, and how long it waits for a running stream."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kolray.clock import SystemClock, to_ms
from kolray.errors import ConflictError, InvalidInputError
from kolray.lake.tables import LakeTables
from kolray.lake.turns import lake_job
from kolray.models.forget import STREAM_S, forget
from kolray.settings import Settings
from kolray.stream.denied import open_deny_list
from kolray.stream.status import StatusFile
from kolray.testing.clock import FakeClock
from tests.unit.lake.rows import add, bronze, commit


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def run(settings: Settings, kol_id: str = "k1", **how: object) -> list[object]:
    return list(forget(settings, kol_id, started=lambda _: None, **how))  # type: ignore[arg-type]


def test_an_empty_id_is_refused(settings: Settings) -> None:
    with pytest.raises(InvalidInputError, match="names no KOL"):
        run(settings, " ")


def test_jobs_at_work_are_waited_for_and_then_nothing_happens(settings: Settings) -> None:
    with lake_job(settings.lake_root), pytest.raises(ConflictError, match="nothing was erased"):
        run(settings, wait_s=0)
    assert len(open_deny_list(settings)) == 0


def test_a_run_of_silver_that_broke_off_has_to_end_first(settings: Settings) -> None:
    tables = LakeTables(settings.lake_root)
    add(tables, "bronze.social", bronze("social", {"kol_id": "k1"}))
    commit(tables, "silver.quality", [], {tables.source("silver.quality", "bronze.social"): 0})
    with pytest.raises(ConflictError, match="kolray lake silver"):
        run(settings)
    assert len(open_deny_list(settings)) == 0


def test_a_stream_that_does_not_take_the_list_over_is_named(settings: Settings) -> None:
    clock = FakeClock()
    part = {"deny_list": "of yesterday"}
    shard = {"partitions": {str(n): part for n in range(settings.kafka.partitions)}}
    at = to_ms(SystemClock().now()) / 1000
    StatusFile(settings.home).write({"state": "running", "at": at, "pid": os.getpid(), "shards": [shard]})
    began = clock.monotonic()
    with pytest.raises(ConflictError, match="has not taken the deny-list over"):
        run(settings, clock=clock)
    assert clock.monotonic() - began >= STREAM_S
    assert len(open_deny_list(settings)) == 1, "what it began stays"
