"""Servers and Ray for the integration tests: free ports, temporary folders, gone with this process whatever happens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kolray import local
from kolray.settings import Settings, load_settings
from kolray.stores.open import open_metrics_store
from kolray.stream.topics import ensure_topics
from tests.ray_head import own_ray


def ready(profile: str, home: Path) -> Settings:
    """The servers of a profile, their topics and tables made."""
    local.up(profile, home, owner_pid=os.getpid())
    settings = load_settings(home=home)
    ensure_topics(settings.kafka)
    store = open_metrics_store(settings)
    store.migrate()
    store.close()
    return settings


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Settings]:
    """The embedded profile, fresh."""
    home = tmp_path / "home"
    yield ready("embedded", home)
    local.down(home)


def _needs_java() -> None:
    for command in ("java", "mvn"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not installed, and the local profile needs it")


@pytest.fixture
def own_local(tmp_path: Path) -> Iterator[Settings]:
    """Real Kafka, Cassandra and Redis for one test that harms them."""
    _needs_java()
    home = tmp_path / "home"
    yield ready("local", home)
    local.down(home)


@pytest.fixture(scope="session")
def local_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Real Kafka, Cassandra and Redis, once for all tests."""
    _needs_java()
    home = tmp_path_factory.mktemp("local")
    yield ready("local", home)
    local.down(home)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """One Ray for all tests of this process."""
    with own_ray():
        yield


@pytest.fixture
def settings_of(request: pytest.FixtureRequest) -> Callable[[str], Settings]:
    """Settings of a profile by name, for parametrised tests."""
    return lambda profile: request.getfixturevalue({"embedded": "embedded", "local": "local_servers"}[profile])
