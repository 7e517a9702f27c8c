"""Which Avro schema an id in the Confluent wire format means.

The embedded profile uses the files of this package, whose ids are fixed below; a Confluent-compatible server is asked
where ``KOLRAY_REGISTRY__URL`` names one.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple, Protocol

import fastavro

from kolray.errors import SchemaError

AvroSchema = dict[str, Any]


class Version(NamedTuple):
    """A released schema: its id in the embedded registry, its file, and the fingerprint it was released with."""

    id: int
    file: str
    fingerprint: str


VERSIONS: dict[str, tuple[Version, ...]] = {
    "events.social.raw": (Version(1, "social.avsc", "50a37b36c0ef23d2"),),
    "events.web.raw": (Version(2, "web.avsc", "f5b143364296894c"),),
    "alerts.stream": (Version(3, "alert.avsc", "80d578b191e19ac4"),),
    "events.dlq": (Version(4, "dead_letter.avsc", "e9e695e38b233c0f"),),
    "events.late": (Version(5, "late_event.avsc", "9acd16e65be2b1eb"),),
}
"""topic → released versions, the oldest first; the newest is written. The subject is ``<topic>-value``.

A change is a new file with a new id. Ids are never reused, released files never edited; ``kolray schemas check`` looks.
"""


def packaged_schema(topic: str) -> AvroSchema:
    """The schema this version of kolray writes to a topic."""
    return packaged_file(VERSIONS[topic][-1].file)


def packaged_file(name: str) -> AvroSchema:
    """A schema of this package."""
    schema: AvroSchema = json.loads(resources.files("kolray.schemas").joinpath(name).read_text())
    return schema


def fingerprint(schema: AvroSchema) -> str:
    """A hash of all that readers and writers see of a schema: not of its words, nor of its layout as text."""
    seen = json.dumps(_without_words(schema), sort_keys=True)
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def _without_words(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_words(value) for key, value in part.items() if key != "doc" and not key.startswith("__")}
    return [_without_words(item) for item in part] if isinstance(part, list) else part


@lru_cache
def _parsed(file: str) -> AvroSchema:
    """As packaged, made ready for its reader: otherwise it would be once for every record."""
    schema: AvroSchema = fastavro.parse_schema(packaged_file(file))
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
        return VERSIONS[topic][-1].id

    def schema(self, schema_id: int) -> AvroSchema:
        for version in (version for versions in VERSIONS.values() for version in versions):
            if version.id == schema_id:
                return _parsed(version.file)
        raise SchemaError(
            f"schema id {schema_id} is not one of kolray's own; set KOLRAY_REGISTRY__URL to your registry"
        )

    def versions(self, topic: str) -> dict[int, AvroSchema]:
        return {version.id: _parsed(version.file) for version in VERSIONS[topic]}


class HttpRegistry:
    """A Confluent-compatible schema registry."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._schemas: dict[int, AvroSchema] = {}
        self._ids: dict[str, int] = {}

    def id_for(self, topic: str) -> int:
        if topic not in self._ids:
            self._ids[topic] = self.register(topic, packaged_schema(topic))
        return self._ids[topic]

    def register(self, topic: str, schema: AvroSchema) -> int:
        """The id of a schema of a topic's values: a new version, or the one that it is already.

        Raises:
            SchemaError: the server refuses it, as it breaks readers or writers.
        """
        return int(self._ask("POST", f"/subjects/{topic}-value/versions", {"schema": json.dumps(schema)})["id"])

    def mode(self, topic: str) -> str:
        """The mode of compatibility that the server holds a topic's values to."""
        own = self._ask("GET", f"/config/{topic}-value", absent={})
        told = own or self._ask("GET", "/config")
        return str(told.get("compatibilityLevel") or told["compatibility"])

    def set_mode(self, topic: str, mode: str) -> None:
        """Holds the values of a topic, of which some version is registered, to a mode from now on."""
        self._ask("PUT", f"/config/{topic}-value", {"compatibility": mode}, absent={} if mode == "NONE" else None)

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
