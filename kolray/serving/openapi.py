"""The description of the API: examples, problems in their own media type, lists that may be answered by 304.

Pages: a list takes ``limit`` and answers ``next``, which is what the page behind this one asks with (``offset`` where
places are counted, the time or id to go on from elsewhere), or null on the last.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import FastAPI, Header

from kolray.serving.contracts import Delivery
from kolray.serving.examples import EXAMPLES, TEXTS
from kolray.serving.problems import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
_MODEL = "#/components/schemas/"
TAGS = [
    {"name": "scores", "description": "How far to trust a KOL, and what its next hours bring."},
    {"name": "metrics", "description": "What was measured: windows, rankings, alerts."},
    {"name": "live", "description": "Server-sent events. Streams end after 15 s; `Last-Event-ID` goes on."},
    {"name": "campaigns", "description": "What a campaign brought, will bring and added."},
    {"name": "health", "description": "Whether this replica lives and may be sent requests."},
]
_FIRST_SENTENCE = re.compile(r"(.+?)\.(?=\s|$)", re.DOTALL)


def describe(app: FastAPI) -> None:
    """Sets ``app.openapi``; FastAPI writes every answer of a model as ``application/json``."""
    written = app.openapi
    app.openapi_tags = TAGS
    _add_webhook(app)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = written()
            # What a receiver refuses is its own affair: FastAPI would describe it as ours.
            del described["webhooks"]["alert.raised"]["post"]["responses"]["422"]
            for name, path in [*described["paths"].items(), *described["webhooks"].items()]:
                for method, operation in path.items():
                    _summarize(operation)
                    _mend(name, method, operation["responses"])
            for name, example in EXAMPLES.items():
                described["components"]["schemas"][name]["examples"] = [example]
        return written()

    app.openapi = openapi  # type: ignore[method-assign]


def _add_webhook(app: FastAPI) -> None:
    """What ``kolray deliver`` sends, for whoever writes a receiver."""

    @app.webhooks.post("alert.raised", tags=["metrics"], status_code=204)
    def alert_raised(
        body: Delivery,
        webhook_id: Annotated[str, Header(description="the `alert_id`: what comes again has the same")],
        webhook_timestamp: Annotated[int, Header(description="when it was sent, in unix seconds")],
        webhook_signature: Annotated[str, Header(description="HMAC-SHA256 of id, time and body (Standard Webhooks)")],
    ) -> None:
        """An alert is sent to your server. Any answer of 2xx takes it; others are asked again."""


def _summarize(operation: dict[str, Any]) -> None:
    """The first sentence of what is said about it, instead of the name of a function."""
    operation["description"] = operation["description"].replace("``", "`")
    said = " ".join(operation["description"].replace("`", "").split())
    first = _FIRST_SENTENCE.match(said)
    operation["summary"] = first[1] if first else said


def _mend(name: str, method: str, responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        if any(each.get("schema") == _PROBLEM for each in content.values()):
            response["content"] = {
                MEDIA_TYPE: {"schema": _PROBLEM, "example": _example(response["description"], status)}
            }
            if status in ("429", "503"):
                wait = {"schema": {"type": "integer"}, "description": "seconds to wait"}
                response["headers"] = {"Retry-After": wait}
        elif status.startswith("2"):
            for each in content.values():
                each["example"] = _success(name, each.get("schema", {}))
    if method == "get" and "401" in responses:
        responses["304"] = {"description": "The client has this answer already (If-None-Match)"}


def _success(path: str, schema: dict[str, Any]) -> Any:
    """Of the answer's model, or what this path says without one."""
    model = str(schema.get("$ref", "")).removeprefix(_MODEL)
    return EXAMPLES[model] if model else TEXTS[path]


def _example(title: str, status: str) -> dict[str, Any]:
    told = {"title": title, "status": int(status), "detail": "what happened, and what to do"}
    return EXAMPLES["ProblemDetails"] | (told if status != "404" else {})
