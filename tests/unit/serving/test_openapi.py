"""The description of the API is complete: each operation says what it does, and shows what it takes and answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kolray.serving.api import Services, build_app
from kolray.serving.contracts import LiveWindow, StreamProgress
from kolray.serving.examples import EVENTS
from kolray.serving.problems import MEDIA_TYPE

NOTHING: Any = SimpleNamespace(canary=None, lookup=None)
APP = build_app(Services(NOTHING, NOTHING, NOTHING, NOTHING))
DESCRIBED = APP.openapi()
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, methods in [*DESCRIBED["paths"].items(), *DESCRIBED["webhooks"].items()]
    for method, operation in methods.items()
]
OPEN = {"This process answers", "A model is loaded, and the stores answer", "An alert is sent to your server"}


def problems(schema: dict[str, Any], example: Any) -> list[str]:
    whole = schema | {"components": DESCRIBED["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(example)]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_says_what_it_does_and_shows_its_answers(operation: dict[str, Any]) -> None:
    summary = operation["summary"].partition(".")[0]
    assert " " in summary, "words, not the name of a function"
    assert operation["tags"][0] in {tag["name"] for tag in DESCRIBED["tags"]}
    answers = operation["responses"]
    for status, answer in answers.items():
        for kind, content in answer.get("content", {}).items():
            assert "example" in content, (status, kind)
            if kind != "text/event-stream":
                assert problems(content["schema"], content["example"]) == [], (status, kind)
    if operation["summary"] not in OPEN:
        assert {"401", "403", "404", "422", "429", "503"} <= set(answers)
        assert all(MEDIA_TYPE in answers[status]["content"] for status in answers if status >= "400")
        assert answers["429"]["content"][MEDIA_TYPE]["example"]["status"] == 429


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if "requestBody" in each.values[0]])  # type: ignore[index, operator]
def test_an_operation_shows_what_it_takes(operation: dict[str, Any]) -> None:
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
    schema = DESCRIBED["components"]["schemas"][name]
    [example] = schema["examples"]
    assert problems(schema, example) == []


def test_events_are_what_the_streams_send() -> None:
    LiveWindow.model_validate(EVENTS["/live/metrics"]["data"])
    StreamProgress.model_validate(EVENTS["/live/stream"]["data"])
    told = DESCRIBED["paths"]["/live/alerts"]["get"]["responses"]["200"]["content"]["text/event-stream"]["example"]
    assert told.startswith("event: alert\nid: ")
