"""Dead letters of a real broker: listed, shown, and replayed so that stream and lake can tell them for one event."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.connectors.reading import committed
from kolray.events import DLQ_TOPIC
from kolray.exporter.letters import letter_metrics
from kolray.exporter.topics import Tail
from kolray.lake.tables import LakeTables
from kolray.settings import Settings

ROWS = """event_id,kol_id,platform,event_type,event_time,likes
g1,k1,youtube,engagement,2026-05-01T12:00:00Z,5
b1,k1,youtube,engagement,2026-05-01T12:00:00Z,-5
b2,k2,youtube,engagement,1777636800,7
b3,k3,youtube,engaged,2026-05-01T12:00:00Z,1
"""


def ids(settings: Settings) -> list[str]:
    """The keys in the raw topic."""
    places = [("events.social.raw", number) for number in range(settings.kafka.partitions)]
    return sorted((message.key() or b"").decode() for message in committed(settings.kafka, places))


def waiting(settings: Settings, tail: Tail) -> dict[str, float]:
    """Letters that were not replayed by source, as the exporter tells them."""
    counts = next(letter_metrics(tail, LakeTables(settings.lake_root)))
    return {sample.labels["source"]: sample.value for sample in counts.samples}


def test_letters_are_mended_and_sent_again(embedded: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(embedded.home))
    file, run = tmp_path / "rows.csv", CliRunner().invoke
    file.write_text(ROWS)
    assert json.loads(run(app, ["ingest", "file", str(file), "--json"]).stdout)["dead_letters"] == 3
    told = {row["reason"]: row for row in json.loads(run(app, ["dlq", "list", "--json"]).stdout)}
    assert set(told) == {"negative: likes", "out of range: event_time", "unknown: event_type"}
    assert "file:rows.csv" in run(app, ["dlq", "list"]).stdout
    shown = run(app, ["dlq", "show", told["negative: likes"]["example"]]).stdout
    assert "reason: negative: likes" in shown
    assert '"event_id": "b1"' in shown

    assert ids(embedded) == ["k1"]
    with closing(Tail(embedded.kafka, DLQ_TOPIC)) as tail:
        assert waiting(embedded, tail) == {"files": 3}
        fix = ["--fix", "likes = abs(likes)"]
        dry = json.loads(run(app, ["dlq", "replay", *fix, "--dry-run", "--json"]).stdout)
        assert dry == {
            "letters": 3, "valid": 1, "sent": 0, "left": 2,
            "reasons": {"out of range: event_time": 1, "unknown: event_type": 1},
        }  # fmt: skip
        assert "1 sent" in run(app, ["dlq", "replay", *fix]).stdout
        seconds = ["--reason", "event_time", "--fix", "event_time = event_time * 1000"]
        assert json.loads(run(app, ["dlq", "replay", *seconds, "--json"]).stdout)["sent"] == 1
        assert ids(embedded) == ["k1", "k1", "k2"]
        assert waiting(embedded, tail) == {"files": 1}
    assert "still refused: 1 unknown: event_type" in run(app, ["dlq", "replay", "--reason", "unknown"]).stdout
