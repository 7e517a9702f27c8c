"""Files to a real broker: a dry run sends nothing, and a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.connectors import files
from kolray.connectors.bulk import BulkProducer
from kolray.connectors.reading import committed
from kolray.settings import Settings

ROWS = 25


def keys(settings: Settings) -> list[str]:
    """The keys in the raw topic."""
    places = [("events.social.raw", number) for number in range(settings.kafka.partitions)]
    return sorted((message.key() or b"").decode() for message in committed(settings.kafka, places))


def test_a_run_that_was_stopped_goes_on(embedded: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(embedded.home))
    file = tmp_path / "rows.csv"
    lines = [f"e{n},k{n:02},youtube,engagement,2026-05-01T12:00:{n:02}Z,{n}" for n in range(ROWS)]
    header = "event_id,kol_id,platform,event_type,event_time,likes"
    file.write_text("\n".join([header, *lines, "bad,k99,youtube,engagement,2026-05-01T12:00:00Z,-5"]))
    ingest = ["ingest", "file", str(file)]

    dry = CliRunner().invoke(app, [*ingest, "--dry-run"], catch_exceptions=False).stdout
    assert "25 of 26 rows are valid, 1 would be dead-lettered" in dry
    assert "rows.csv:26: negative: likes:" in dry
    found = json.loads(CliRunner().invoke(app, [*ingest, "--dry-run", "--json"], catch_exceptions=False).stdout)
    assert (found["valid"], found["reasons"]) == (25, {"negative: likes": 1})
    assert keys(embedded) == []

    for module in ("files", "send"):
        monkeypatch.setattr(f"kolray.connectors.{module}.CHUNK_ROWS", 10)
    whole = BulkProducer.send

    def stops_at_the_third(self: BulkProducer, kind: files.Kind, frame: pl.DataFrame) -> None:
        if frame["event_id"][0] == "e20":
            raise KeyboardInterrupt
        whole(self, kind, frame)

    monkeypatch.setattr(BulkProducer, "send", stops_at_the_third)
    assert CliRunner().invoke(app, ingest).exit_code != 0
    assert len(keys(embedded)) == 20
    monkeypatch.setattr(BulkProducer, "send", whole)
    told = json.loads(CliRunner().invoke(app, [*ingest, "--json"], catch_exceptions=False).stdout)
    assert told == {"read": 26, "sent": 25, "dead_letters": 1, "denied": 0, "resumed": 20}
    assert keys(embedded) == [f"k{n:02}" for n in range(ROWS)]
    again = json.loads(CliRunner().invoke(app, [*ingest, "--json"], catch_exceptions=False).stdout)
    assert "resumed" not in again
