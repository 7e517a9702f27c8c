"""Which Avro schema an id in the Confluent wire format means.

The embedded profile uses the files of this package, whose ids are fixed below; a Confluent-compatible server is asked
where ``KOLRAY_REGISTRY__URL`` names one.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any, Protocol

import fastavro

from kolray.errors import SchemaError

AvroSchema = dict[str, Any]

FILES = {
    "events.social.raw": (1, "social.avsc"),
    "events.web.raw": (2, "web.avsc"),
    "alerts.stream": (3, "alert.avsc"),
    "events.dlq": (4, "dead_letter.avsc"),
    "events.late": (5, "late_event.avsc"),
}
"""topic → (id in the embedded registry, file). The subject is ``<topic>-value``. Ids are never reused."""


def packaged_schema(topic: str) -> AvroSchema:
    """The schema this version of kolray writes to a topic."""
    text = resources.files("kolray.schemas").joinpath(FILES[topic][1]).read_text()
    schema: AvroSchema = json.loads(text)
    return schema


@lru_cache
def _parsed(topic: str) -> AvroSchema:
    """As packaged, made ready for its reader: otherwise it would be once for every record."""
    schema: AvroSchema = fastavro.parse_schema(packaged_schema(topic))
    return schema


class Registry(Protocol):
    """Ids to schemas and back."""

    def id_for(self, topic: str) -> int:
        """The id to write into records of a topic; registers the packaged schema where the server lacks it."""
        ...

    def schema(self, schema_id: int) -> AvroSchema:
        """The writer's schema of an id.

        Raises:
            SchemaError: nobody knows this id.
        """
        ...

    def versions(self, topic: str) -> dict[int, AvroSchema]:
        """All schemas registered for a topic's values, by id; empty where nothing is."""
        ...


class FileRegistry:
    """The registry of the embedded profile: the package's own files."""

    def id_for(self, topic: str) -> int:
        return FILES[topic][0]

    def schema(self, schema_id: int) -> AvroSchema:
        for topic, (known, _) in FILES.items():
            if known == schema_id:
                return _parsed(topic)
        raise SchemaError(
            f"schema id {schema_id} is not one of kolray's own; set KOLRAY_REGISTRY__URL to your registry"
        )

    def versions(self, topic: str) -> dict[int, AvroSchema]:
        return {FILES[topic][0]: _parsed(topic)}


class HttpRegistry:
    """A Confluent-compatible schema registry."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._schemas: dict[int, AvroSchema] = {}
        self._ids: dict[str, int] = {}

    def id_for(self, topic: str) -> int:
        if topic not in self._ids:
            body = {"schema": json.dumps(packaged_schema(topic))}
            self._ids[topic] = int(self._ask("POST", f"/subjects/{topic}-value/versions", body)["id"])
        return self._ids[topic]

    def schema(self, schema_id: int) -> AvroSchema:
        if schema_id not in self._schemas:
            text = self._ask("GET", f"/schemas/ids/{schema_id}")["schema"]
            self._schemas[schema_id] = fastavro.parse_schema(json.loads(text))
        return self._schemas[schema_id]

    def versions(self, topic: str) -> dict[int, AvroSchema]:
        path = f"/subjects/{topic}-value/versions"
        numbers = self._ask("GET", path, absent=[])
        ids = [int(self._ask("GET", f"{path}/{number}")["id"]) for number in numbers]
        return {schema_id: self.schema(schema_id) for schema_id in ids}

    def _ask(self, method: str, path: str, body: object = None, absent: Any = None) -> Any:
        """The answer's JSON; ``absent``: what stands for 404, which is an error without it."""
        import httpx

        try:
            answer = httpx.request(method, self._url + path, json=body, timeout=10)
        except httpx.HTTPError as error:
            raise SchemaError(f"the schema registry at {self._url} does not answer ({error})") from error
        if answer.status_code == httpx.codes.NOT_FOUND and absent is not None:
            return absent
        if answer.is_error:
            raise SchemaError(f"{method} {path}: the schema registry answered {answer.status_code} {answer.text[:200]}")
        return answer.json()


def open_registry(url: str | None) -> Registry:
    """The registry the settings name."""
    return HttpRegistry(url) if url else FileRegistry()
