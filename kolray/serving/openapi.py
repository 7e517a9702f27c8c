"""The description of the API: examples, problems in their own media type, lists that may be answered by 304.

Pages: a list takes ``limit`` and answers ``next``, which is what the page behind this one asks with (``offset`` where
places are counted, the time or id to go on from elsewhere), or null on the last.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from kolray.serving.examples import EXAMPLES
from kolray.serving.problems import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}


def describe(app: FastAPI) -> None:
    """Sets ``app.openapi``; FastAPI writes every answer of a model as ``application/json``."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = written()
            for path in described["paths"].values():
                for method, operation in path.items():
                    _mend(method, operation["responses"])
            for name, example in EXAMPLES.items():
                described["components"]["schemas"][name]["examples"] = [example]
        return written()

    app.openapi = openapi  # type: ignore[method-assign]


def _mend(method: str, responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        if any(each.get("schema") == _PROBLEM for each in content.values()):
            response["content"] = {
                MEDIA_TYPE: {"schema": _PROBLEM, "example": _example(response["description"], status)}
            }
            if status in ("429", "503"):
                wait = {"schema": {"type": "integer"}, "description": "seconds to wait"}
                response["headers"] = {"Retry-After": wait}
    if method == "get" and "401" in responses:
        responses["304"] = {"description": "The client has this answer already (If-None-Match)"}


def _example(title: str, status: str) -> dict[str, Any]:
    told = {"title": title, "status": int(status), "detail": "what happened, and what to do"}
    return EXAMPLES["ProblemDetails"] | (told if status != "404" else {})
