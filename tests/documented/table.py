"""Reads ``commands.toml`` and ``runbooks.toml``: in which way each command of each page is run by a test."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

TABLES = [Path(__file__).with_name(name) for name in ("commands.toml", "runbooks.toml")]
REASONS = {
    "suite": "it is what runs this very test, or what that needs",
    "bench": "it measures for minutes, on servers of its own, the prepared peers or public data; tests run it in small",
    "docker": "no Docker engine",
    "hosts": "no other hosts, no AWS",
    "pytorch": "the base install stays without PyTorch; its tests install it by `make test-heavy`",
    "trino": "a client of Trino that is not kolray's",
    "root": "only root may",
}


@dataclass(frozen=True)
class Entry:
    """One command of a page; the fields are explained in the file."""

    says: str
    typed: str | None = None
    until: str | None = None
    exit: int = 0
    needs: str | None = None
    tested: str | None = None
    cannot: str | None = None

    @property
    def is_typed(self) -> bool:
        """Whether the pages' own test types it."""
        return self.tested is None and self.cannot is None


def table() -> dict[str, list[Entry] | str]:
    """Entries of each page in their order, or the test that types the whole page."""
    pages = tomllib.loads("\n".join(file.read_text() for file in TABLES))
    return {
        page: found if isinstance(found, str) else [_entry(each) for each in found] for page, found in pages.items()
    }


def _entry(found: str | dict[str, str | int]) -> Entry:
    return Entry(found) if isinstance(found, str) else Entry(**found)  # type: ignore[arg-type]
