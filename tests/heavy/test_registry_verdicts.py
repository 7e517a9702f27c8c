"""The verdicts on schemas are those of a real Confluent-compatible server, in all modes, on random changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count, islice

import httpx
import pytest

from kolray.errors import InvalidInputError, SchemaError
from kolray.schemas.compatibility import MODES, breaks, unreadable
from kolray.schemas.registry import HttpRegistry, packaged_schema
from tests.apicurio import apicurio
from tests.evolutions import Evolution
from tests.writers import changed

pytestmark = pytest.mark.heavy
CHANGES = 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apicurio(tmp_path_factory.mktemp("apicurio")) as url:
        yield url


def test_the_server_agrees_on_a_thousand_random_changes(server: str) -> None:
    registry, differ = HttpRegistry(server), []
    with httpx.Client(base_url=server, timeout=30) as client:
        for seed, change in islice(valid_changes(), CHANGES):
            mode, older = MODES[seed % len(MODES)], next(valid_changes(seed + 10_000))[1].new
            subject = f"t{seed}-value"
            earlier = [older, change.old] if mode.endswith("_TRANSITIVE") else [change.old]
            for schema in earlier:
                registry.register(f"t{seed}", schema)
            registry.set_mode(f"t{seed}", mode)
            body = {"schema": json.dumps(change.new)}
            told = client.post(f"/compatibility/subjects/{subject}/versions", json=body).json()
            if told["is_compatible"] != (not breaks(change.new, earlier, mode)):
                differ.append((seed, mode, told))
    assert differ == []


def valid_changes(start: int = 0) -> Iterator[tuple[int, Evolution]]:
    """Random changes with their seeds, without the few that are no Avro."""
    for seed in count(start):
        change = Evolution(seed)
        try:
            unreadable(change.old, change.new)
        except InvalidInputError:
            continue
        yield seed, change


def test_a_breaking_schema_is_refused_before_anything_is_written(server: str) -> None:
    registry, topic = HttpRegistry(server), "events.social.raw"
    first = registry.id_for(topic)
    registry.set_mode(topic, "FULL_TRANSITIVE")
    assert registry.mode(topic) == "FULL_TRANSITIVE"
    with pytest.raises(SchemaError, match="409"):
        registry.register(topic, changed("social", drop="kol_id"))
    added = changed("social", add={"name": "mood", "type": ["null", "string"], "default": None})
    second = registry.register(topic, added)
    assert list(registry.versions(topic)) == [first, second]
    assert registry.register(topic, packaged_schema(topic)) == first
