"""The failure table of docs/stream.md: each row names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
TEXT = (TESTS.parent / "docs" / "stream.md").read_text()


def test_every_row_names_its_test() -> None:
    legend, table = TEXT.split("## Failures", 1)[1].split("| what fails", 1)
    rows = [line.split(" | ") for line in table.split("\n\n", 1)[0].splitlines()[2:]]
    known = set(re.findall(r"\b([A-Z]) = ", legend))
    assert len(rows) > 30
    for what, _, shown in rows:
        letters = set(re.findall(r"(?<![`\w])([A-Z])(?![\w`])", shown))
        assert letters, what
        assert letters <= known, what


def test_every_test_it_names_exists() -> None:
    files = list(TESTS.rglob("test_*.py"))
    there = {name for file in files for name in re.findall(r"def (test_\w+)\(", file.read_text())}
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert named - there == set()
    assert set(re.findall(r"(test_\w+\.py)`", TEXT)) <= {file.name for file in files}
