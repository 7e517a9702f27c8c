"""Ten thousand requests made of the API's own description: none is answered by 5xx, none otherwise than described."""

from __future__ import annotations

from pathlib import Path

import pytest

from kolray import local
from kolray.serving.build import build
from kolray.serving.tokens import Tokens
from tests.fuzzed import fuzz
from tests.served import KOL, served_home

pytestmark = pytest.mark.heavy


def test_ten_thousand_requests(tmp_path: Path) -> None:
    settings = served_home(tmp_path / "home")
    try:
        token = Tokens.of(settings).create("fuzz", ("read", "score"), 10**7)
        seen = fuzz(build(settings), {"Authorization": f"Bearer {token}"}, 10_000, KOL)
    finally:
        local.down(settings.home)
    print(*sorted(seen.items()), sep="\n")
    assert sum(seen.values()) >= 9_000, "an operation without parameters has few requests"
    assert not any(key.endswith(("500", "503")) for key in seen)
