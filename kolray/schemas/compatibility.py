"""Whether one version of a schema may follow others: the seven modes of a Confluent-compatible registry.

What Avro can resolve is asked of Apache's own library; a test holds its verdicts to a real server's on random changes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from kolray.errors import InvalidInputError
from kolray.schemas.registry import AvroSchema

MODES = (
    "NONE",
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
)
"""Backward: readers of the new version read what the earlier wrote. Forward: readers of the earlier read what the new
writes. Full: both. Transitive: all earlier versions, not only the newest."""


def breaks(new: AvroSchema, earlier: Sequence[AvroSchema], mode: str) -> list[str]:
    """Why ``new`` may not follow ``earlier`` (oldest first) in a mode, in Avro's words; empty where it may.

    Raises:
        InvalidInputError: an unknown mode, or no valid Avro schema.
    """
    if mode not in MODES:
        raise InvalidInputError(f"{mode}: no mode of compatibility; there are {', '.join(MODES)}")
    judged = list(earlier if mode.endswith("_TRANSITIVE") else earlier[-1:])
    direction = mode.removesuffix("_TRANSITIVE")
    found = []
    for old in judged:
        if direction in ("BACKWARD", "FULL"):
            found += [f"new readers, earlier records: {reason}" for reason in unreadable(new, old)]
        if direction in ("FORWARD", "FULL"):
            found += [f"earlier readers, new records: {reason}" for reason in unreadable(old, new)]
    return list(dict.fromkeys(found))


def unreadable(reader: AvroSchema, writer: AvroSchema) -> list[str]:
    """Why a reader cannot read what a writer wrote, by Avro's rules of schema resolution; empty where it can."""
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

    result = ReaderWriterCompatibilityChecker().get_compatibility(_parsed(_text(reader)), _parsed(_text(writer)))
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    kinds = " and ".join(sorted({kind.value.replace("_", " ") for kind in result.incompatibilities}))
    places = ", ".join(sorted(location for location in result.locations if location != "/"))
    return [f"{kinds}: {'; '.join(sorted(result.messages))}" + (f" (at {places})" if places else "")]


def fields_changed(old: AvroSchema, new: AvroSchema) -> list[str]:
    """What differs between two records, field by field, in words."""
    before, after = ({field["name"]: field for field in schema["fields"]} for schema in (old, new))
    found = [f"- {name}: {_told(field)}" for name, field in before.items() if name not in after]
    found += [f"+ {name}: {_told(field)}" for name, field in after.items() if name not in before]
    both = [name for name in before if name in after]
    return found + [
        f"~ {name}: {_told(before[name])} → {_told(after[name])}"
        for name in both
        if _told(before[name]) != _told(after[name])
    ]


def _told(field: dict[str, Any]) -> str:
    kind = field["type"]
    text = kind if isinstance(kind, str) else json.dumps(kind, sort_keys=True)
    return text + (f" = {json.dumps(field['default'])}" if "default" in field else "")


def _text(schema: AvroSchema) -> str:
    return json.dumps({key: value for key, value in schema.items() if not key.startswith("__")})


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    from avro.errors import AvroException
    from avro.schema import parse

    try:
        return parse(text)
    except AvroException as error:
        raise InvalidInputError(f"this is no valid Avro schema: {error}") from error
