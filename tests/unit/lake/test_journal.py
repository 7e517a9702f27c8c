"""A run that failed goes on at its failed step; one that is done does nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolray.lake.journal import NAME, Journal
from kolray.lake.tables import LakeTables
from kolray.testing.clock import FakeClock


def test_a_step_is_done_once_and_goes_on_after_a_failure(tmp_path: Path) -> None:
    tables, clock, calls = LakeTables(str(tmp_path)), FakeClock(), []

    def good() -> dict[str, int]:
        clock.sleep(2)
        calls.append("good")
        return {"rows": 3}

    def bad() -> dict[str, int]:
        raise ValueError("disk full")

    first = Journal(tables, "nightly 1", clock)
    assert (first.once("a", good).seconds, first.once("a", good).before) == (2, True)
    with pytest.raises(ValueError, match="disk full"):
        first.once("b", bad)

    again = Journal(tables, "nightly 1", clock)
    assert again.once("a", good).detail == {"rows": 3}
    assert calls == ["good"]
    assert again.once("b", good).before is False
    assert Journal(tables, "nightly 2", clock).once("a", good).before is False

    rows = tables.scan(NAME).sort("started_at", "ok").select("run", "step", "ok", "detail").collect().rows()
    assert ("nightly 1", "b", False, '{"error": "ValueError: disk full"}') in rows
    assert len(rows) == 4
