"""The description of the API: problems have their own media type, and lists may be answered by 304."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from kolray.serving.problems import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
EXAMPLE = {
    "type": "about:blank",
    "title": "Not found",
    "status": 404,
    "detail": "nothing is known about the KOL 'kol_000042'",
    "instance": "/kol/score",
    "request_id": "2f6a3b1c9d0e4f58a7b6c5d4e3f20110",
}


def describe(app: FastAPI) -> None:
    """Sets ``app.openapi``; FastAPI writes every answer of a model as ``application/json``."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = written()
            for path in described["paths"].values():
                for method, operation in path.items():
                    _mend(method, operation["responses"])
        return written()

    app.openapi = openapi  # type: ignore[method-assign]


def _mend(method: str, responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        if any(each.get("schema") == _PROBLEM for each in content.values()):
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM, "example": EXAMPLE | {"status": int(status)}}}
            if status in ("429", "503"):
                wait = {"schema": {"type": "integer"}, "description": "seconds to wait"}
                response["headers"] = {"Retry-After": wait}
    if method == "get" and "401" in responses:
        responses["304"] = {"description": "The client has this answer already (If-None-Match)"}
