"""One home and one application for all tests of the HTTP contract; those that change it for good come last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kolray import local
from kolray.serving.build import build
from kolray.serving.tokens import Tokens
from kolray.settings import Settings
from tests.served import served_home


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The embedded profile with a lake, two champions and their scores, and a day of windows of one KOL."""
    home = tmp_path_factory.mktemp("serving")
    yield served_home(home)
    local.down(home)


@pytest.fixture(scope="package")
def app(settings: Settings) -> TestClient:
    """The application without a token. It waits for Redis as long as a busy machine may need."""
    patient = settings.serving.model_copy(update={"redis_timeout_s": 10.0})
    return TestClient(build(settings.model_copy(update={"serving": patient})), follow_redirects=False)


@pytest.fixture
def token(settings: Settings, request: pytest.FixtureRequest) -> Callable[..., dict[str, str]]:
    """Makes the header of a new token."""
    made = iter(range(99))

    def make(*scopes: str, rate: int = 10_000) -> dict[str, str]:
        name = f"{request.node.name}-{next(made)}"
        return {"Authorization": f"Bearer {Tokens.of(settings).create(name, scopes, rate)}"}

    return make


@pytest.fixture
def ask(app: TestClient, token: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """The body of an answer that is fine."""
    header = token("read", "score")

    def asked(path: str, body: dict[str, Any] | None = None) -> Any:
        answer = app.get(path, headers=header) if body is None else app.post(path, json=body, headers=header)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asked
