"""Verdicts on schemas: those of the package against what was released, and any against what a registry holds."""

from __future__ import annotations

from dataclasses import dataclass

from kolray.events import KIND_OF_TOPIC
from kolray.schemas.compatibility import breaks
from kolray.schemas.evolution import contract_problems
from kolray.schemas.registry import VERSIONS, AvroSchema, Registry, Version, fingerprint, packaged_file

RELEASE_MODE = "FULL_TRANSITIVE"
"""What kolray's own versions keep to: an old job reads new records and a new one all that a topic still holds."""


@dataclass(frozen=True)
class Verdict:
    """``problems``: why a schema may not follow ``against`` earlier versions in a ``mode``; empty: it may."""

    topic: str
    mode: str
    against: int
    problems: list[str]


def check_package() -> list[Verdict]:
    """Of each topic: no released file was edited, and each version may follow those before it."""
    return [_released(topic, versions) for topic, versions in VERSIONS.items()]


def _released(topic: str, versions: tuple[Version, ...]) -> Verdict:
    schemas = [packaged_file(version.file) for version in versions]
    problems = [
        f"{version.file} was edited after its release as id {version.id}: put it back, and the change into a new file"
        f" with the next free id and the fingerprint {fingerprint(schema)}"
        for version, schema in zip(versions, schemas, strict=True)
        if fingerprint(schema) != version.fingerprint
    ]
    for n in range(1, len(schemas)):
        problems += breaks(schemas[n], schemas[:n], RELEASE_MODE)
    return Verdict(topic, RELEASE_MODE, len(versions) - 1, problems)


def check_candidate(registry: Registry, topic: str, schema: AvroSchema, mode: str) -> Verdict:
    """Of a schema that is to follow what a registry holds: by the mode, and by what kolray needs to read of events."""
    earlier = [held for _, held in sorted(registry.versions(topic).items())]
    problems = breaks(schema, earlier, mode)
    if topic in KIND_OF_TOPIC:
        problems += [
            f"kolray could not read it: {problem}" for problem in contract_problems(KIND_OF_TOPIC[topic], schema)
        ]
    return Verdict(topic, mode, len(earlier), problems)
