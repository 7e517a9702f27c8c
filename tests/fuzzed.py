"""Requests made of the API's own description, valid ones and broken ones, and what its answers may not be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.result import Ok
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = "text/event-stream"


def fuzz(app: FastAPI, headers: dict[str, str], requests: int, kol_id: str, chance: int = 0) -> Counter[str]:
    """Sends at least so many requests, half of them meant to be refused; returns ``METHOD path status`` → how many.

    Args:
        kol_id: a KOL that is known, asked for by every other request that is meant to be answered.
        chance: another number makes other requests.

    Raises:
        FailureGroup: an answer was 5xx, or not as described; it has the request as a curl command.
    """
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=headers)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    operations = [each for each in operations if ENDLESS not in str(each.definition.raw)]
    seen: Counter[str] = Counter()
    for operation in operations:
        for mode in GenerationMode:
            _fuzz(operation, mode, headers, requests // len(operations) // 2 + 1, kol_id, seen, chance)
    return seen


def _fuzz(
    operation: Any,
    mode: GenerationMode,
    headers: dict[str, str],
    requests: int,
    kol_id: str,
    seen: Counter[str],
    chance: int,
) -> None:
    if mode.is_negative and not (list(operation.iter_parameters()) or operation.body):
        return  # nothing that could be wrong

    @seed(chance)
    @settings(
        max_examples=requests,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if mode.is_positive and sum(seen.values()) % 2:
            for place in (case.body, case.path_parameters, case.query):
                if isinstance(place, dict) and "kol_id" in place:
                    place["kol_id"] = kol_id
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)
        seen[f"{operation.method.upper()} {operation.path} {answer.status_code}"] += 1

    ask()
