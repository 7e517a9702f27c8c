"""The own-history pattern on NAB's Twitter series: the numbers are reported, whatever they are."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kolray.benchmarks.nab import NabReport
from kolray.cli.main import app
from kolray.errors import InvalidInputError


@pytest.mark.realdata
@pytest.mark.heavy
def test_the_report_is_complete_and_the_pattern_beats_silence(data: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "nab", "--data", str(data), "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert set(report) == {field.name for field in fields(NabReport)}
    assert (report["series"], report["rows"]) == (10, 158_631)
    scored = [figures for figures in report.values() if isinstance(figures, dict)]
    assert {figures["windows"] for figures in scored} == {33}
    assert all(0 < figures["windows_found"] <= 33 and figures["score"] <= 100 for figures in scored)
    assert report["own_history_swept"]["score"] >= report["own_history_at_4_sigmas"]["score"] > 0
    assert report["windowed_gaussian_swept"]["score"] >= report["windowed_gaussian_at_1"]["score"] > 0


def test_a_folder_without_the_series_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "nab", "--data", str(tmp_path)])
    assert isinstance(done.exception, InvalidInputError)
    assert str(tmp_path) in str(done.exception)
