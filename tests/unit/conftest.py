"""Unit tests run without Ray and without servers: starting Ray is an error here."""

from __future__ import annotations

from typing import Any

import pytest
import ray


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a unit test started Ray: move it to tests/integration, or the logic out of the shell")

    monkeypatch.setattr(ray, "init", refuse)
