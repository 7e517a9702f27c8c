"""Requests made of the API's own description: none is answered by 5xx, none otherwise than described."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kolray import local
from kolray.serving.build import build
from kolray.serving.tokens import Tokens
from tests.fuzzed import fuzz
from tests.served import KOL, served_home

pytestmark = pytest.mark.heavy
REQUESTS = int(os.environ.get("KOLRAY_FUZZED_REQUESTS", "2000"))
"""Ten thousand take six minutes or so of a core: ask for them by the environment."""
CHANCE = int(os.environ.get("KOLRAY_FUZZED_CHANCE", "0"))
"""Another number makes other requests."""


def test_fuzzed_requests_are_answered_as_described(tmp_path: Path) -> None:
    settings = served_home(tmp_path / "home")
    try:
        token = Tokens.of(settings).create("fuzz", ("read", "score"), 10**7)
        seen = fuzz(build(settings), {"Authorization": f"Bearer {token}"}, REQUESTS, KOL, CHANCE)
    finally:
        local.down(settings.home)
    print(*sorted(seen.items()), sep="\n")
    assert sum(seen.values()) >= 0.7 * REQUESTS, "an operation without parameters has few requests"
    assert not any(key.endswith(("500", "503")) for key in seen)
